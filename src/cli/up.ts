import { parseDuration } from '../base/index.ts'
import { connectEngine } from '../engine/index.ts'
import { planText } from '../stack/index.ts'
import { confirm } from './output.ts'
import { takenPorts } from './edges.ts'
import { publishedBy, runDeployment } from './stack-deploy.ts'
import { planFromFiles } from './stack-files.ts'
import type { UpOptions } from './stack.ts'

/**
 * Deploys the Compose files: shows the plan, asks on a terminal, applies it and waits. Without a
 * terminal (scripts, CI) it does not ask: there the command itself is the consent.
 */
export const up = async (options: UpOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const prepared = await planFromFiles(engine, options)
  if (prepared === undefined) return
  const { plan } = prepared
  process.stdout.write(`${planText(plan, { verb: undefined }).join('\n')}\n`)
  for (const reason of await takenPorts(publishedBy(plan))) {
    process.stdout.write(`  warning: ${reason}\n`)
  }
  const terminal = process.stdin.isTTY && process.stdout.isTTY
  if (plan.operations.length > 0 && terminal && options.yes !== true) {
    if (!(await confirm('Do it?', { yes: false }))) {
      process.stdout.write('Nothing was changed.\n')
      return
    }
  }
  await runDeployment(engine, prepared, { timeoutMs, detach: options.detach === true })
}
