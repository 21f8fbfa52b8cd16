import { MusterError } from '../base/index.ts'
import type { Lab } from './index.ts'

/**
 * Makes one cluster of a lab's hosts, as a person would: `muster init` on the first, `muster join`
 * on the others, all as managers. Hosts that belong to it already are left alone.
 */
export const formCluster = async (
  lab: Lab,
  options: { edgeImage: string; onProgress?: (line: string) => void },
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
    address: string
  }
  // One at a time: each new manager changes the quorum.
  for (const host of others) {
    options.onProgress?.(`muster join on ${host}`)
    await run(host, 'join', tokens.address, '--token', tokens.manager)
  }
}
