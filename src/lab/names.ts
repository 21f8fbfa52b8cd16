import { MusterError } from '../base/index.ts'

/** Hosts of one lab at most: they share one /24. */
export const MAX_HOSTS = 100

/** Names of a lab's hosts, in order: host-1, host-2 ... */
export const hostNames = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `host-${i + 1}`)

/** Throws USAGE unless the name can be a folder, a cgroup and a part of messages. */
export const checkLabName = (name: string): string => {
  if (/^[a-z][a-z0-9-]{0,30}$/.test(name)) return name
  throw new MusterError(
    'USAGE',
    `A lab's name is up to 31 small letters, digits and dashes and begins with a letter, not "${name}".`,
  )
}

/** Throws USAGE unless it is a number of hosts that a lab can have. */
export const checkHostCount = (count: number): number => {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_HOSTS) return count
  throw new MusterError('USAGE', `A lab has 1 to ${MAX_HOSTS} hosts, not ${count}.`)
}
