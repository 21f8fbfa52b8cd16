import { MusterError, parseDuration } from '../base/index.ts'
import { connectEngine } from '../engine/index.ts'
import {
  deployedRevision,
  notFound,
  plan,
  planText,
  previousRevision,
  readCurrent,
  readRegistryAuth,
  stackOf,
} from '../stack/index.ts'
import { confirm } from './output.ts'
import { runDeployment } from './stack-deploy.ts'
import type { RollbackOptions } from './stack.ts'

/** Goes back to the revision before the deployed one: the same plan and the same waiting as `up`. */
export const rollback = async (stack: string, options: RollbackOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const current = await readCurrent(engine, stack)
  const deployed = deployedRevision(current.revisions)
  const previous = previousRevision(current.revisions)
  if (deployed === undefined) {
    throw notFound(
      'deployed stack',
      stack,
      current.services.map((each) => stackOf(each)),
    )
  }
  if (previous === undefined) {
    throw new MusterError(
      'NOT_FOUND',
      `${stack} has no revision before ${deployed.number} to go back to.`,
      { hint: 'Deploy the older files instead: muster up.' },
    )
  }
  const back = { ...plan(previous.settled, current), to: previous.number }
  process.stdout.write(`${planText(back, { verb: undefined }).join('\n')}\n`)
  if (!(await confirm('Do it?', { yes: options.yes === true }))) {
    process.stdout.write('Nothing was changed.\n')
    return
  }
  const images = previous.settled.services.map(
    (each) => each.spec.TaskTemplate.ContainerSpec.Image ?? '',
  )
  const registryAuth = await readRegistryAuth(images)
  await runDeployment(
    engine,
    { plan: back, current, registryAuth },
    { timeoutMs, detach: options.detach === true, again: previous },
  )
}
