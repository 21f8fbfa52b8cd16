/** Names and options of volumes, as Docker hands them over. Pure. */
import { MusterError } from '../base/index.ts'
import { VOLUME_TYPES, type VolumeOptions, type VolumeRecord } from './record.ts'

/** Docker's own rule for names. It leaves no way out of a folder. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$/

/** The name, if it is one. Throws USAGE. */
export const checkName = (name: unknown): string => {
  if (typeof name === 'string' && NAME.test(name)) return name
  throw new MusterError(
    'USAGE',
    `${JSON.stringify(name)} is no name for a volume: letters, digits, _ . - and at most 200 of them.`,
  )
}

const OPTIONS = ['type', 'per', 'stack', 'cluster', 'member']

/** `driver_opts` of a volume. Throws USAGE for what the driver does not know. */
export const parseOptions = (options: Record<string, string>): VolumeOptions => {
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key))
  if (unknown !== undefined) {
    throw new MusterError(
      'USAGE',
      `the volume driver muster has no option "${unknown}": it knows ${OPTIONS.join(', ')}.`,
    )
  }
  const { type = 'local', per, stack, cluster, member } = options
  const known = VOLUME_TYPES.find((each) => each === type)
  if (known === undefined) {
    throw new MusterError(
      'USAGE',
      `the volume driver muster has no type "${type}": it knows ${VOLUME_TYPES.join(' and ')}.`,
    )
  }
  if (per !== undefined && per !== 'slot') {
    throw new MusterError('USAGE', `option per of a volume takes "slot", not "${per}".`)
  }
  if ((cluster === undefined) !== (member === undefined)) {
    throw new MusterError('USAGE', 'a volume of a member needs both options, cluster and member.')
  }
  return {
    type: known,
    stack: stack === undefined ? null : checkName(stack),
    perSlot: per === 'slot',
    member:
      member === undefined ? null : { id: checkName(member), cluster: checkName(cluster ?? '') },
  }
}

/**
 * The options that a volume has once it is asked for again. What it is and whose it is cannot
 * change, as its data would be somebody else's: throws CONFLICT. Everything else may.
 */
export const changeOptions = (record: VolumeRecord, asked: VolumeOptions): VolumeOptions => {
  const refuse = (is: string, wanted: string) =>
    new MusterError('CONFLICT', `volume ${record.name} is ${is}, and cannot become ${wanted}.`, {
      hint: 'Give the new volume another name, or remove this one: muster volume rm',
    })
  if (asked.type !== record.type) throw refuse(`of type ${record.type}`, asked.type)
  if (asked.member?.id !== record.member?.id || asked.member?.cluster !== record.member?.cluster) {
    throw refuse(whose(record), whose(asked))
  }
  return { ...asked, stack: asked.stack ?? record.stack }
}

const whose = ({ member }: VolumeOptions): string =>
  member === null ? "no member's" : `of member ${member.id} of ${member.cluster}`
