/** What the engine makes of the specs that it is given. */
import type { ServiceSpec } from '../types.ts'
import type { NamedServiceSpec, NetworkRecord } from './records.ts'
import { parseConstraint } from './control/constraints.ts'
import { isJob, modeOf } from './control/service-mode.ts'

/** Plain data without undefined fields, as after a trip over the wire. */
export const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** What else there must be for a service. */
export interface References {
  network: (idOrName: string) => NetworkRecord | undefined
  hasConfig: (id: string) => boolean
  hasSecret: (id: string) => boolean
}

const DNS_NAME = /^[a-zA-Z0-9](?:[-_]*[A-Za-z0-9]+)*$/

/**
 * Checks a service's spec and fills in what the engine fills in.
 * @throws Error with the engine's own text
 */
export const normaliseService = (given: ServiceSpec, references: References): NamedServiceSpec => {
  const spec = plain(given)
  const name = spec.Name ?? ''
  if (!DNS_NAME.test(name) || name.length > 63) {
    throw new Error('name must be valid as a DNS name component')
  }
  const template = (spec.TaskTemplate ??= {})
  const container = template.ContainerSpec
  if (!container?.Image) throw new Error('ContainerSpec: image reference must be provided')
  checkReferences(container, references)
  for (const constraint of template.Placement?.Constraints ?? []) parseConstraint(constraint)
  template.Networks = (template.Networks ?? []).map((attachment) => {
    const network = references.network(attachment.Target ?? '')
    if (network === undefined) throw new Error(`network ${attachment.Target} not found`)
    return { ...attachment, Target: network.id }
  })
  if (template.Networks.length === 0) delete template.Networks
  checkEndpoint(spec)
  if (template.RestartPolicy !== undefined) {
    template.RestartPolicy = { Condition: 'any', MaxAttempts: 0, ...template.RestartPolicy }
  }
  if (isJob(spec) && template.RestartPolicy?.Condition === 'any') {
    throw new Error('Restart policy condition "any" not allowed for jobs')
  }
  const { Name: _name, Labels = {}, Mode, UpdateConfig, RollbackConfig, ...rest } = spec
  return {
    Name: name,
    Labels,
    ...rest,
    TaskTemplate: {
      ...template,
      ContainerSpec: { Isolation: 'default', ...container },
      ForceUpdate: template.ForceUpdate ?? 0,
      Runtime: template.Runtime ?? 'container',
    },
    Mode: Mode ?? { Replicated: { Replicas: 1 } },
    ...(UpdateConfig && { UpdateConfig: fillUpdate(UpdateConfig) }),
    ...(RollbackConfig && { RollbackConfig: fillUpdate(RollbackConfig) }),
  }
}

type UpdateConfig = NonNullable<ServiceSpec['UpdateConfig']>

const fillUpdate = <T extends UpdateConfig | NonNullable<ServiceSpec['RollbackConfig']>>(
  config: T,
): T => ({
  Parallelism: 0,
  FailureAction: 'pause',
  MaxFailureRatio: 0,
  Order: 'stop-first',
  ...config,
})

const checkReferences = (
  {
    Configs = [],
    Secrets = [],
  }: NonNullable<NonNullable<ServiceSpec['TaskTemplate']>['ContainerSpec']>,
  { hasConfig, hasSecret }: References,
): void => {
  for (const { ConfigID = '', ConfigName } of Configs) {
    if (!hasConfig(ConfigID)) throw new Error(`config not found: ${ConfigName}`)
  }
  for (const { SecretID = '', SecretName } of Secrets) {
    if (!hasSecret(SecretID)) throw new Error(`secret not found: ${SecretName}`)
  }
}

const checkEndpoint = ({ EndpointSpec }: ServiceSpec): void => {
  const ingress = EndpointSpec?.Ports?.some(({ PublishMode }) => PublishMode !== 'host') === true
  if (ingress && EndpointSpec?.Mode === 'dnsrr') {
    throw new Error("EndpointSpec: port published with ingress mode can't be used with dnsrr mode")
  }
}

/**
 * Whether a service may become this.
 * @throws Error with the engine's own text
 */
export const checkChange = (before: NamedServiceSpec, after: NamedServiceSpec): void => {
  if (before.Name !== after.Name) throw new Error('renaming services is not supported')
  if (modeOf(before).kind !== modeOf(after).kind) {
    throw new Error('service mode change is not allowed')
  }
}
