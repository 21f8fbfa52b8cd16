import { parseDuration, systemClock } from '../base/index.ts'
import { connectEngine } from '../engine/index.ts'
import { removeStack, stackObjects } from '../stack/index.ts'
import { confirm, plural } from './output.ts'
import type { DownOptions } from './stack.ts'

/** Removes a stack and waits until its tasks and networks are gone; volumes stay. */
export const down = async (stack: string, options: DownOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const objects = await stackObjects(engine, stack)
  const services = objects.services.map((each) => each.name).sort()
  process.stdout.write(
    `stack ${stack}: ${plural(services.length, 'service')} (${services.join(', ') || 'none'}), ${plural(objects.networks.length, 'network')}\n`,
  )
  if (!(await confirm('Remove it?', { yes: options.yes === true }))) {
    process.stdout.write('Nothing was changed.\n')
    return
  }
  let before = -1
  await removeStack(engine, objects, {
    clock: systemClock,
    timeoutMs,
    onProgress: (left) => {
      if (left > 0 && left !== before) process.stdout.write(`${plural(left, 'task')} left\n`)
      before = left
    },
  })
  const kept =
    objects.volumes.length === 0
      ? ''
      : ` Its volumes are kept on their hosts: ${objects.volumes.join(', ')}.`
  process.stdout.write(`${stack} is removed.${kept}\n`)
}
