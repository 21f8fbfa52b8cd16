/** Each member has its service, and nobody else has one. */
import { act } from './decisions.ts'
import type { Action, Decision, Facts } from './facts.ts'
import { type Seen, primaries } from './sight.ts'

/** Null when the services are as the ledger says. */
export const keepServices = (
  { ledger, services, hosts, topology }: Facts,
  seen: readonly Seen[],
): Decision | null => {
  const stray: Action[] = services
    .filter(({ member }) => ledger.members[member] === undefined)
    .map(({ member }) => ({ do: 'remove', member }))
  // One that is leaving may be needed for the vote that lets it go.
  const needed = topology.recovers === 'itself' && primaries(seen).length === 0
  const wanted = seen.filter(
    ({ member }) => (!member.leaving || needed) && hosts.some(({ id }) => id === member.host),
  )
  const actions = wanted.flatMap(({ id, member }): Action[] => {
    const service = services.find((each) => each.member === id)
    if (service === undefined) return [{ do: 'create', member: id, host: member.host }]
    return service.running ? [] : [{ do: 'start', member: id }]
  })
  if (stray.length === 0 && actions.length === 0) return null
  return act([...stray, ...actions], 'members get their services')
}
