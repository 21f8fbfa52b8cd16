import type { Service, Stack } from '../compose/index.ts'

/**
 * The stack with the networks that `network_mode` stands for. `none` is an internal network of the
 * service's own, on which nobody else is; `host` stays. Everything else is the default network: a
 * bridge, and what the table of keys refuses, if it is tolerated.
 */
export const withModesAsNetworks = (stack: Stack): Stack => {
  const networks = { ...stack.networks }
  const services: Record<string, Service> = {}
  for (const [key, service] of Object.entries(stack.services)) {
    const { network_mode: mode, ...rest } = service
    if (mode === undefined || mode === 'host') services[key] = service
    else if (mode === 'none') {
      const own = `${key}_none`
      networks[own] = { name: `${stack.name}_${own}`, internal: true }
      services[key] = { ...rest, networks: { [own]: {} } }
    } else {
      networks.default ??= { name: `${stack.name}_default` }
      services[key] = { ...rest, networks: { default: {} } }
    }
  }
  return { ...stack, locate: (path) => stack.locate(path), networks, services }
}

/** Services that reach nobody any more, in the words of a note. */
export const isolationNotes = ({ services }: Stack): string[] =>
  Object.entries(services)
    .filter(([, { network_mode }]) => network_mode === 'none')
    .map(([key]) => `${key}: network_mode none is an internal network on which only ${key} is.`)
