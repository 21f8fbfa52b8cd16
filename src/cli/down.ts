import { parseDuration, systemClock } from '../base/index.ts'
import { connectEngine } from '../engine/index.ts'
import { removeStack, stackObjects } from '../stack/index.ts'
import { confirm, plural } from './output.ts'
import type { DownOptions } from './stack.ts'
import { holdsData, removeAll, volumesOf } from './volume-commands.ts'

/** Removes a stack and waits until its tasks and networks are gone; volumes stay, unless asked for. */
export const down = async (stack: string, options: DownOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const objects = await stackObjects(engine, stack)
  const shown = new Set(objects.heads.map((each) => each.Spec.Name))
  const services = objects.services
    .map((each) => each.name)
    .filter(
      (name) =>
        !objects.members.some((member) => member.name === name && shown.has(member.cluster)),
    )
    .sort()
  process.stdout.write(
    `stack ${stack}: ${plural(services.length, 'service')} (${services.join(', ') || 'none'}), ${plural(objects.networks.length, 'network')}\n`,
  )
  const volumes =
    options.volumes === true ? await volumesOf(engine, { stack, clusters: shown }) : []
  const folders = volumes.filter(holdsData)
  for (const { name, host } of folders) process.stdout.write(`  volume ${name} on ${host}\n`)
  const question =
    folders.length === 0
      ? 'Remove it?'
      : `Remove it, with all data in ${plural(folders.length, 'volume')}?`
  if (!(await confirm(question, { yes: options.yes === true }))) {
    process.stdout.write('Nothing was changed.\n')
    return
  }
  let before = -1
  const data = objects.volumes.filter(
    (each) =>
      !objects.members.some((member) => each === member.name || each === `${member.name}.run`),
  )
  await removeStack(engine, objects, {
    clock: systemClock,
    timeoutMs,
    onMembers: (text) => process.stdout.write(`stopping in order: ${text}\n`),
    onProgress: (left) => {
      if (left > 0 && left !== before) process.stdout.write(`${plural(left, 'task')} left\n`)
      before = left
    },
  })
  if (options.volumes === true) await removeAll(engine, volumes, { yes: true })
  else if (objects.heads.length > 0) {
    process.stdout.write(
      `Kept: the data of the members of ${objects.heads.map((each) => each.Spec.Name).join(', ')}, and what is known of it; muster up starts them again.\n`,
    )
  }
  const kept = data.length === 0 ? '' : ` Its volumes are kept on their hosts: ${data.join(', ')}.`
  process.stdout.write(`${stack} is removed.${kept}\n`)
}
