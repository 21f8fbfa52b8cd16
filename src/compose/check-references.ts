import type { ServiceCheck } from './check-services.ts'
import type { ModelPath } from './model.ts'
import { get } from './node.ts'
import { didYouMean } from './suggest.ts'

/** Everything that a service names must be declared. */
export const checkReferences = (check: ServiceCheck): void => {
  const { service } = check
  for (const key of Object.keys(service.networks ?? {}))
    need(check, { kind: 'networks', key, path: ['networks', key] })
  for (const [index, { type, source }] of (service.volumes ?? []).entries())
    if (type === 'volume' && source)
      need(check, { kind: 'volumes', key: source, path: ['volumes', index] })
  for (const [index, { source: key }] of (service.configs ?? []).entries())
    need(check, { kind: 'configs', key, path: ['configs', index] })
  for (const [index, { source: key }] of (service.secrets ?? []).entries())
    need(check, { kind: 'secrets', key, path: ['secrets', index] })
  for (const [index, { source: key }] of (service.build?.secrets ?? []).entries())
    need(check, { kind: 'secrets', key, path: ['build', 'secrets', index] })
  for (const key of Object.keys(service.models ?? {}))
    need(check, { kind: 'models', key, path: ['models', key] })
  checkDependencies(check)
}

interface Reference {
  kind: 'networks' | 'volumes' | 'configs' | 'secrets' | 'models'
  key: string
  /** Where the service names it. */
  path: ModelPath
}

const need = ({ tree, problems, wrong }: ServiceCheck, { kind, key, path }: Reference): void => {
  const all = get(tree, kind)
  const names = all?.kind === 'map' ? [...all.entries.keys()] : []
  // The implicit network is added by normalising.
  const isImplicit = kind === 'networks' && key === 'default'
  if (names.includes(key) || isImplicit || problems.isBroken(kind, key)) return
  const hint = didYouMean(key, names) ?? `Declare it under "${kind}:".`
  wrong(path, `there is no ${kind.slice(0, -1)} "${key}"`, hint)
}

const checkDependencies = (check: ServiceCheck): void => {
  const { service, services, disabled, problems, wrong } = check
  for (const [other, { required }] of Object.entries(service.depends_on ?? {})) {
    if (Object.hasOwn(services, other) || problems.isBroken('services', other)) continue
    const inactive = Object.hasOwn(disabled, other) ? disabled[other] : undefined
    if (inactive && !required) continue
    const path = dependencyPath(check, other)
    if (inactive) {
      const profiles = (inactive.profiles ?? []).join(', ')
      const hint = 'Activate one with --profile, or say "required: false".'
      wrong(path, `the service "${other}" is not active: its profiles are ${profiles}`, hint)
    } else {
      const names = [...Object.keys(services), ...Object.keys(disabled)]
      wrong(path, `there is no service "${other}"`, didYouMean(other, names))
    }
  }
}

/** `depends_on`, or the key that the dependency follows from. */
const dependencyPath = ({ tree, name, service }: ServiceCheck, other: string): ModelPath => {
  const written = get(get(get(tree, 'services'), name), 'depends_on')
  if (written?.kind === 'map' && written.entries.get(other)?.key) return ['depends_on', other]
  for (const key of ['links', 'volumes_from'] as const) {
    const index = (service[key] ?? []).findIndex((item) => item.split(':', 1)[0] === other)
    if (index !== -1) return [key, index]
  }
  const shared = ['network_mode', 'ipc', 'pid', 'uts', 'cgroup'] as const
  const key = shared.find((namespace) => service[namespace] === `service:${other}`)
  return [key ?? 'depends_on']
}
