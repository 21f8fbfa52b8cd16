/** One look at a container that waits for its member's data: whether it may have them now. */
import { MusterError } from '../../base/index.ts'
import type { MemberReport } from '../../catalog/index.ts'
import type { Recipe } from '../../recipes/index.ts'
import type { VolumeRecord } from '../../volumes/index.ts'
import type { KeeperContext } from './context.ts'
import type { DataAtRest } from './data-at-rest.ts'
import type { GateOutcome } from './gate.ts'
import type { Known } from './known.ts'
import { letIn } from './let-in.ts'
import { type Occupant, askerOf, occupantsOf } from './occupants.ts'
import { viewOf } from './permission.ts'
import { meetingNetwork, situationOf } from './situation.ts'

export interface GateLook {
  member: { id: string; cluster: string }
  context: KeeperContext
  known: Known
  data: DataAtRest
  /** Docker's id of the mount. */
  mountId: string
  signal: AbortSignal
  /** This is the container that asks. */
  onAsker: (asker: Occupant, occupants: readonly Occupant[]) => Promise<void>
  /** Makes the member's report anew. */
  report: () => MemberReport | null
  /** It may ask again at once, with a folder of another identity. */
  onReset: () => void
  /** It is let in; or was not after all. */
  onProcess: (process: 'running' | 'gate') => void
}

const wait = (reason: string): GateOutcome => ({ kind: 'wait', reason })

/** Nothing has been let in unless it says so. */
export const lookAtGate = async (look: GateLook): Promise<GateOutcome> => {
  const { member, context, known, signal } = look
  signal.throwIfAborted()
  const record = known.record()
  if (!record) return wait('its folder is gone')
  const occupants = await occupantsOf(context.engine, record.name)
  const asker = askerOf(occupants, member.id)
  if (!asker) return { kind: 'refuse', reason: `only a task of ${member.id} may have its data` }
  const other = occupants.find(({ running }) => running)
  if (other) return wait(`container ${other.container.slice(0, 12)} still uses its data`)
  await look.onAsker(asker, occupants)
  if (context.host() === null || context.catalog() === null) {
    return wait('the agent of its host does not know the cluster yet')
  }
  const recipe = known.recipe()
  if (!known.cluster() || !recipe) {
    return wait(`there is no ledger of ${member.cluster} that this host can read`)
  }
  const { image } = asker
  return (await examine(look, { record, recipe, image })) ?? decide(look, { recipe, image })
}

/** Promises what the ledger asks for, and finds out what the data are. Null when that is known. */
const examine = async (
  { known, data }: GateLook,
  { record, recipe, image }: { record: VolumeRecord; recipe: Recipe; image: string | null },
): Promise<GateOutcome | null> => {
  await known.obey()
  // Until the mount has an answer, Docker cannot stop the container.
  if (known.isStopped()) return { kind: 'refuse', reason: 'its service is stopped' }
  try {
    const how = { cluster: known.cluster(), deep: true, image }
    return (await data.examine(record, recipe, how)) ? null : wait('its data are in use')
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return wait(error.message)
  }
}

/** Asks whether it may start, and makes everything ready if so. */
const decide = async (
  look: GateLook,
  { recipe, image }: { recipe: Recipe; image: string | null },
): Promise<GateOutcome> => {
  const { member, context, known, data, mountId, signal } = look
  const { engine, permit, store } = context
  const all = context.catalog()
  const network = all && meetingNetwork(all, member.id)
  if (!network) return wait('its networks are not known yet')
  const { IPAM } = await engine.inspectNetwork(network)
  const subnet = IPAM?.Config?.[0]?.Subnet ?? ''
  // From here to the decision nothing may come between.
  const own = look.report()
  const cluster = known.cluster()
  const catalog = context.catalog()
  const record = known.record()
  if (!own || !cluster || !catalog || !record) return wait('its cluster has just changed')
  const { epoch } = cluster.ledger
  if (epoch !== record.marker.epoch) {
    return wait(`the ledger at hand is of epoch ${epoch}, not ${record.marker.epoch}`)
  }
  signal.throwIfAborted()
  const permission = permit(viewOf(catalog, own, recipe))
  if (permission.kind === 'wait' || permission.kind === 'refuse') return permission
  if (permission.kind === 'reset') {
    await data.reset(record)
    look.onReset()
    return wait(permission.reason)
  }
  look.onProcess('running')
  try {
    const situation = situationOf(catalog, cluster, {
      self: member.id,
      network,
      subnet,
      start: permission,
    })
    await letIn({ store, record, cluster, recipe, situation, mountId, image })
  } catch (error) {
    look.onProcess('gate')
    throw error
  }
  return { kind: 'passed', start: permission.kind, epoch }
}
