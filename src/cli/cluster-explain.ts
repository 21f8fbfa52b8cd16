import type { Catalog } from '../catalog/index.ts'
import { headOf } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import { decide, gather, hasPrimary, hasReadyWriter } from '../members/index.ts'
import { RECIPES } from '../recipes/index.ts'
import { memberServices } from '../stack/index.ts'
import type { ClusterView } from './stack-read.ts'

/**
 * What the leader would do next about a clustered service, and why: the same decision, made from what
 * this host sees. Nothing of it is done.
 */
export const explainCluster = (
  view: ClusterView,
  service: Service,
  catalog: Catalog | undefined,
): string[] => {
  const ledger = view.ledgers.get(service.Spec.Name)
  const head = headOf(service.Spec)
  const recipe = RECIPES.find((each) => each.name === ledger?.recipe)
  if (ledger === undefined || head === null || recipe === undefined || catalog === undefined) {
    return []
  }
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
    awayFor: () => 0,
    quietFor: hasPrimary(reading) ? 0 : Infinity,
    writerIdleFor: hasReadyWriter(reading) ? 0 : Infinity,
  })
  return decide(facts).explain
}
