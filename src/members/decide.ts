import { waitFor } from './decisions.ts'
import type { Decision, Facts } from './facts.ts'
import { forming } from './forming.ts'
import { admit, settle } from './joining.ts'
import { lost, recovering } from './recovering.ts'
import { rollingUpdate, updateAtRest } from './rolling.ts'
import { addMembers, removeMember, replace, seeOut } from './scale.ts'
import { keepServices } from './services.ts'
import { type Seen, listText, readyOnes, seenMembers } from './sight.ts'
import { MEMBER_TUNABLES } from './tunables.ts'
import { record } from './upkeep.ts'
import { resume, windDown } from './winding-down.ts'
import { chooseWriter } from './writer.ts'

type Rule = (facts: Facts, seen: readonly Seen[]) => Decision | null

/** Until the cluster runs: the first that has something to say is right, also when it says to wait. */
const RISING: readonly Rule[] = [windDown, resume, keepServices, forming, recovering, lost]

/** Of a cluster that runs: what one waits for does not keep the next from acting. */
const RUNNING: readonly Rule[] = [
  record,
  chooseWriter,
  seeOut,
  replace,
  removeMember,
  addMembers,
  admit,
  settle,
  rollingUpdate,
]

/**
 * What the leader does next about one clustered service. Either the ledger is to be changed, by
 * compare-and-swap against the one that the facts hold, or members are to be acted on. To be asked
 * again after either, and whenever a fact changes. Two leaders that ask at the same time cannot
 * contradict each other where it matters: who may be first is in the ledger before anyone acts.
 */
export const decide = (facts: Facts): Decision => {
  const seen = seenMembers(facts)
  for (const rule of RISING) {
    const decision = rule(facts, seen)
    if (decision === null) continue
    // While the cluster waits, members that do not run can be changed: that may be what it waits for. Not
    // at once: who waits at the gate may be let in just when Swarm replaces it, and is stopped again.
    const idle =
      decision.kind === 'wait' &&
      facts.ledger.phase !== 'formed' &&
      facts.quietFor >= MEMBER_TUNABLES.missing
    return (idle ? updateAtRest(facts, seen) : null) ?? decision
  }
  const said = RUNNING.flatMap((rule) => rule(facts, seen) ?? [])
  const next = said.find(({ kind }) => kind !== 'wait') ?? said[0]
  if (next) return next
  const ready = readyOnes(seen)
  return waitFor(
    ready.length === seen.length
      ? `all ${ready.length} members are ready`
      : `${listText(seen.filter(({ id }) => !ready.some((each) => each.id === id)))} not ready`,
  )
}
