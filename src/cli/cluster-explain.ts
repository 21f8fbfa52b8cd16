import type { Catalog } from '../catalog/index.ts'
import { headOf } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import { decide, gather, hasPrimary, hasReadyWriter, isAway } from '../members/index.ts'
import { recipeChosen } from '../recipes/index.ts'
import { memberServices } from '../stack/index.ts'
import type { ClusterView } from './stack-read.ts'

/**
 * What the leader would do next about a clustered service, and why: the same decision, made from what
 * this host sees. Nothing of it is done.
 */
export const explainCluster = async (
  view: ClusterView,
  service: Service,
  catalog: Catalog | undefined,
): Promise<string[]> => {
  const ledger = view.ledgers.get(service.Spec.Name)
  const head = headOf(service.Spec)
  if (ledger === undefined || head === null || catalog === undefined) return []
  const recipe = await recipeChosen(head.choice)
  const services = memberServices(service, view.services)
  const ids = new Set(services.map((each) => each.ID))
  const reading = {
    ledger,
    recipe,
    head: { service, head },
    services,
    tasks: view.tasks.filter((task) => ids.has(task.ServiceID)),
    nodes: view.nodes,
    catalog,
  }
  const facts = gather(reading, {
    now: Date.now(),
    // Only the leader remembers for how long; the reason is the same.
    unheardFor: (host) => (catalog.hosts.get(host)?.state === 'alive' ? 0 : Infinity),
    awayFor: (host) => (isAway(view.nodes.find(({ ID }) => ID === host)) ? 1 : 0),
    // While the ledger says that it runs it is given time: the leader writes when that is over.
    quietFor: hasPrimary(reading) || ledger.phase === 'formed' ? 0 : Infinity,
    writerIdleFor: hasReadyWriter(reading) ? 0 : Infinity,
    markedFor: 0,
  })
  return decide(facts).explain
}
