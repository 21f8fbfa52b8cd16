import { MusterError } from '../base/index.ts'

/** An IPv4 address of this machine. */
export interface HostAddress {
  interface: string
  address: string
}

/** Interfaces that Docker makes: never an address that other hosts can reach. */
const DOCKER_INTERFACE = /^(docker|br-|veth|vxlan|ov-)/

/**
 * The address that other hosts shall use, when the user names none: the one on the interface of the
 * default route, else the only one there is. Two candidates are the user's choice: a wrong guess
 * (a public address, a management network) is found out only when the second host joins.
 */
export const chooseAdvertiseAddress = (
  addresses: readonly HostAddress[],
  defaultInterface: string | undefined,
): string => {
  const candidates = addresses.filter((a) => !DOCKER_INTERFACE.test(a.interface))
  const preferred = candidates.filter((a) => a.interface === defaultInterface)
  const [first, ...others] = preferred.length > 0 ? preferred : candidates
  if (first === undefined) {
    throw new MusterError(
      'HOST_SETUP',
      'This machine has no IPv4 address that others could reach.',
      {
        hint: 'Connect it to a network, or name the address: --advertise-addr A.',
      },
    )
  }
  if (others.length > 0) {
    const list = [first, ...others].map((a) => `${a.address} (${a.interface})`).join(', ')
    throw new MusterError('USAGE', `This machine has several addresses: ${list}.`, {
      hint: 'Say which one the other hosts reach it at: --advertise-addr A.',
    })
  }
  return first.address
}

/** The interface of the default route in the text of /proc/net/route. */
export const defaultRouteInterface = (procNetRoute: string): string | undefined => {
  for (const line of procNetRoute.split('\n').slice(1)) {
    const [name, destination, , , , , , mask] = line.trim().split(/\s+/)
    if (destination === '00000000' && mask === '00000000') return name
  }
  return undefined
}

/** `10.0.0.5`, `10.0.0.5:2377`, `host:2377` as Swarm's join wants it. */
export const joinAddress = (text: string): string => {
  if (!/^[\w.-]+(:\d{1,5})?$/.test(text)) {
    throw new MusterError('USAGE', `"${text}" is not an address of a manager.`, {
      hint: 'Give its IP address or name, with a port if it is not 2377.',
    })
  }
  return text.includes(':') ? text : `${text}:2377`
}
