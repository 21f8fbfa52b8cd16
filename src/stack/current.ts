import { LABEL, parseSettings } from '../base/index.ts'
import type { Config, Engine, Network, Secret, Service } from '../engine/index.ts'
import { parseRevision, type Revision } from './revisions.ts'

/** What is in the cluster, as one deployment sees it. */
export interface Current {
  /** Name of the stack that is looked at. */
  stack: string
  /** Every service of the cluster, of this stack and others. */
  services: Service[]
  /** Networks that services can use. */
  networks: Network[]
  configs: Config[]
  secrets: Secret[]
  /** Of this stack, oldest first. */
  revisions: Revision[]
  /** Milliseconds before a task that ended is replaced. */
  restartDelayMs: number
}

/** Reads what a deployment of `stack` has to know, at once. */
export const readCurrent = async (engine: Engine, stack: string): Promise<Current> => {
  const [swarm, services, networks, configs, secrets] = await Promise.all([
    engine.inspectSwarm(),
    engine.listServices(),
    engine.listNetworks(),
    engine.listConfigs(),
    engine.listSecrets(),
  ])
  return {
    stack,
    services,
    networks: networks.filter((each) => each.Scope === 'swarm' || each.Name === 'host'),
    configs,
    secrets,
    revisions: stackRevisions(configs, stack),
    restartDelayMs: parseSettings(swarm.Spec.Labels).restartDelayMs,
  }
}

/** The revisions of a stack among all configs, oldest first. Unreadable ones are left out. */
export const stackRevisions = (configs: readonly Config[], stack: string): Revision[] =>
  configs
    .filter((each) => each.Spec.Labels?.[LABEL.stack] === stack)
    .flatMap((each) => parseRevision(each) ?? [])
    .sort((a, b) => a.number - b.number)

/** True for an object that belongs to the stack. */
export const ownedBy = (stack: string, labels: Record<string, string> | undefined): boolean =>
  labels?.[LABEL.stack] === stack

/** The services of the stack. */
export const ownServices = (current: Current): Service[] =>
  current.services.filter((each) => ownedBy(current.stack, each.Spec.Labels))

/** Network names by id, for canonical specs. */
export const networkNames = (networks: readonly Network[]): Map<string, string> =>
  new Map(networks.map((each) => [each.Id, each.Name]))
