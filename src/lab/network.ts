/** A lab's addresses. Pure. */
import { isIPv4 } from 'node:net'
import { MusterError } from '../base/index.ts'

/** Addresses of the lab whose third octet is `octet`: 10.90.OCTET.0/24. */
export const labNetwork = (octet: number) => {
  const at = (last: number) => `10.90.${octet}.${last}`
  return {
    subnet: `${at(0)}/24`,
    /** The machine itself, as the hosts see it. */
    machine: at(1),
    registry: at(2),
    /** Network interface on the machine that leads into the lab. */
    machineLink: `muster-${octet}`,
    host: (name: string) => at(10 + hostIndex(name)),
    /** Fixed, so that the others' ARP tables are right when a host comes back. */
    mac: (name: string) => `02:90:5a:00:${hex(octet)}:${hex(10 + hostIndex(name))}`,
  }
}

export type LabNetwork = ReturnType<typeof labNetwork>

const hex = (byte: number) => byte.toString(16).padStart(2, '0')

/** 3 of `host-3`. */
const hostIndex = (name: string): number => Number(name.slice('host-'.length))

/** A range of addresses, as in `10.0.0.0/8`. */
export interface Range {
  address: string
  prefix: number
}

/**
 * The third octet of a free 10.90.x.0/24: one that no range in use (the machine's addresses and
 * routes) and no other lab covers. A default route covers nothing.
 */
export const chooseOctet = (inUse: readonly Range[], labs: readonly number[]): number => {
  for (let octet = 0; octet < 256; octet++) {
    const subnet = { address: `10.90.${octet}.0`, prefix: 24 }
    if (labs.includes(octet)) continue
    if (inUse.some((range) => range.prefix > 0 && overlaps(range, subnet))) continue
    return octet
  }
  throw new MusterError('LAB', 'No free network in 10.90.0.0/16 for another lab.', {
    hint: 'Remove labs (muster lab ls, muster lab down), or look at `ip route` for what covers it.',
  })
}

const overlaps = (a: Range, b: Range): boolean => {
  const prefix = Math.min(a.prefix, b.prefix)
  const mask = prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0
  return (toNumber(a.address) & mask) >>> 0 === (toNumber(b.address) & mask) >>> 0
}

const toNumber = (address: string): number =>
  address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** A range from text such as `10.0.0.0/8` or `192.0.2.1`; undefined if it is not IPv4. */
export const parseRange = (text: string): Range | undefined => {
  const [address = '', prefix = '32'] = text.split('/')
  return isIPv4(address) ? { address, prefix: Number(prefix) } : undefined
}
