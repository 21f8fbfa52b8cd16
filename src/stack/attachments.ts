import type { Service, ServiceNetwork, Stack } from '../compose/index.ts'
import type { Problem } from './check.ts'
import type { SwarmTaskTemplate } from './desired.ts'

type Attachment = NonNullable<SwarmTaskTemplate['Networks']>[number]

export interface AttachmentContext {
  stack: Stack
  /** More names of a service on its networks, from `links` of others. */
  aliases: ReadonlyMap<string, string[]>
  problems: Problem[]
}

/** The networks that a service is on, and its names there. */
export const attachments = (
  key: string,
  service: Service,
  { stack, aliases: linked, problems }: AttachmentContext,
): Attachment[] => {
  if (service.network_mode === 'host') return [{ Target: 'host' }]
  // Refused by the table of keys.
  if (service.provider !== undefined) return []
  const networks = Object.entries(service.networks ?? {})
  const wanted: [string, ServiceNetwork | undefined][] =
    networks.length > 0 ? networks : [['default', undefined]]
  return wanted
    .map(([name, attachment]): Attachment => {
      const network = stack.networks[name]
      if (network === undefined) {
        problems.push({
          path: ['services', key, 'networks', name],
          message: `there is no network "${name}" in the file.`,
        })
      }
      const aliases = [
        ...(attachment?.aliases ?? []),
        ...(service.container_name === undefined ? [] : [service.container_name]),
        ...(linked.get(key) ?? []),
        key,
      ]
      return {
        Target: network?.name ?? name,
        Aliases: [...new Set(aliases)],
        ...(attachment?.driver_opts === undefined ? {} : { DriverOpts: attachment.driver_opts }),
      }
    })
    .sort((a, b) => ((a.Target ?? '') < (b.Target ?? '') ? -1 : 1))
}

/** `links: [db:database]` gives `db` the name `database` on its networks. */
export const linkAliases = (stack: Stack, problems: Problem[]): Map<string, string[]> => {
  const aliases = new Map<string, string[]>()
  for (const [key, service] of Object.entries(stack.services)) {
    for (const [i, link] of (service.links ?? []).entries()) {
      const [target = '', alias] = link.split(':', 2)
      if (stack.services[target] === undefined) {
        problems.push({
          path: ['services', key, 'links', i],
          message: `there is no service "${target}" in the file.`,
        })
      } else if (alias !== undefined && alias !== target) {
        aliases.set(target, [...(aliases.get(target) ?? []), alias])
      }
    }
  }
  return aliases
}

/** What becomes of `container_name`, in the words of a note. */
export const containerNameNotes = ({ services }: Stack): string[] => {
  const named = Object.entries(services).filter(([, each]) => each.container_name !== undefined)
  return named.length === 0
    ? []
    : [
        `container_name of ${named.map(([key]) => key).join(', ')}: one more name on the networks; ` +
          'containers are called STACK_SERVICE.SLOT.ID.',
      ]
}
