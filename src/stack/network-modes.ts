import type { Service, Stack } from '../compose/index.ts'

/** Modes of one machine whose meaning here is the network that every service gets. */
const ORDINARY = new Set(['bridge', 'default'])

/**
 * The stack with the networks that `network_mode` stands for. What was a bridge becomes the default
 * network; `none` an internal network of the service's own, on which nobody else is. `host` stays, all
 * others are refused by the table of keys.
 */
export const withModesAsNetworks = (stack: Stack): Stack => {
  const networks = { ...stack.networks }
  const services: Record<string, Service> = {}
  for (const [key, service] of Object.entries(stack.services)) {
    const { network_mode: mode = '', ...rest } = service
    if (ORDINARY.has(mode)) {
      networks.default ??= { name: `${stack.name}_default` }
      services[key] = { ...rest, networks: { default: {} } }
    } else if (mode === 'none') {
      const own = `${key}_none`
      networks[own] = { name: `${stack.name}_${own}`, internal: true }
      services[key] = { ...rest, networks: { [own]: {} } }
    } else services[key] = service
  }
  return { ...stack, locate: (path) => stack.locate(path), networks, services }
}

/** Services that reach nobody any more, in the words of a note. */
export const isolationNotes = ({ services }: Stack): string[] =>
  Object.entries(services)
    .filter(([, { network_mode }]) => network_mode === 'none')
    .map(([key]) => `${key}: network_mode none is an internal network on which only ${key} is.`)
