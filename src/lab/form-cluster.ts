import { MusterError } from '../base/index.ts'
import type { Lab } from './index.ts'

/**
 * Makes one cluster of a lab's hosts, as a person would: `muster init` on the first, `muster join`
 * on the others. The first `managers` of them (all, unless told otherwise) are managers. Hosts that
 * belong to it already are left alone.
 */
export const formCluster = async (
  lab: Lab,
  options: { edgeImage: string; managers?: number; onProgress?: (line: string) => void },
): Promise<void> => {
  const [first, ...others] = lab.hosts
  if (first === undefined) return
  const run = async (host: string, ...args: string[]): Promise<string> => {
    const result = await lab.exec(host, ['muster', ...args], { timeoutMs: 60_000 })
    if (result.exitCode === 0) return result.stdout
    throw new MusterError(
      'LAB',
      `muster ${args[0]} failed on ${host}: ${result.stderr || result.stdout}`,
    )
  }
  options.onProgress?.(`muster init on ${first}`)
  await run(
    first,
    'init',
    '--advertise-addr',
    lab.address(first),
    '--edge-image',
    options.edgeImage,
  )
  const tokens = JSON.parse(await run(first, 'token', '--format', 'json')) as {
    manager: string
    worker: string
    address: string
  }
  // One at a time: each new manager changes the quorum.
  for (const [i, host] of others.entries()) {
    options.onProgress?.(`muster join on ${host}`)
    const token = i + 1 < (options.managers ?? lab.hosts.length) ? tokens.manager : tokens.worker
    await run(host, 'join', tokens.address, '--token', token)
  }
}
