/**
 * The gate. The agent of a member's host asks before every start, and again when anything changes;
 * what it knows of the others may be out of date, and so none of the answers relies on it for more
 * than patience. What makes the first member safe: a grant names the folder and the epoch, a folder
 * remembers in which epoch it was first, and an agent that has promised an epoch uses no older grant.
 */
import type { Ledger, LedgerMember, MemberReport } from '../catalog/index.ts'
import type { Permission, Sighting, View } from './facts.ts'
import { comparePositions, positionText } from './position.ts'
import { inPrimary, isRecognised, livePrimary, numberOf } from './sight.ts'

const wait = (reason: string): Permission => ({ kind: 'wait', reason })
const refuse = (reason: string): Permission => ({ kind: 'refuse', reason })

/** The grant of the ledger's epoch is for this very folder, which has not used it yet. */
export const holdsGrant = (ledger: Ledger, own: MemberReport): boolean =>
  ledger.grant !== null &&
  ledger.grant.epoch === ledger.epoch &&
  (ledger.phase === 'forming' || ledger.phase === 'recovering') &&
  own.epoch === ledger.epoch &&
  own.volume !== null &&
  ledger.grant.members[own.id] === own.volume &&
  own.founded < ledger.epoch

/** Whether and how a member may start. To be asked after the ledger's epoch has been promised. */
export const permit = (view: View): Permission => {
  const { ledger, own } = view
  if (ledger === null) return wait('no manager has said anything about its cluster yet')
  const member = ledger.members[own.id]
  if (member === undefined) return wait(`it is no member of ${ledger.cluster}`)
  if (member.host !== own.host) return refuse('it belongs to another host')
  if (own.epoch > ledger.epoch) return wait('a newer decision is on its way')
  if (own.epoch < ledger.epoch) return wait('this host has not accepted the newest decision yet')
  // Whoever votes may be needed for the vote that lets it go.
  if (member.leaving && view.topology.recovers !== 'itself') return refuse('it is leaving')
  if (holdsGrant(ledger, own)) return first(ledger, own)
  if (own.data === 'unknown') return wait('its data are being looked at')
  if (own.volume !== null && own.volume === member.discarded) return discard(view, ledger)
  if (own.data === 'foreign') {
    return refuse('its data are of another cluster, or a copy from elsewhere')
  }
  if (ledger.phase === 'formed') return enter(view, { ledger, member })
  if (ledger.phase === 'held') {
    // Whoever runs outside may be found again, and with it all is well.
    const looks = own.data === 'good' || own.data === 'empty'
    if (view.topology.outside === true && looks && isRecognised(member, own))
      return enter(view, { ledger, member })
    const votes = view.topology.recovers === 'itself' && own.data === 'good'
    return votes && isOfCluster(ledger, own) && isRecognised(member, own)
      ? { kind: 'rejoin', position: own.position }
      : wait(`a person has to decide: ${ledger.held?.reason ?? ''}`)
  }
  const grantees = Object.keys(ledger.grant?.members ?? {})
  if (grantees.length > 0) return wait(`${grantees.join(', ')} is to be first`)
  return wait(
    ledger.phase === 'recovering' ? 'it is found out which copy is the newest' : forming(view),
  )
}

/** What the cluster still waits for before it is formed. */
const forming = ({ founders, own, others }: View): string => {
  const heard = others.flatMap(({ report, sight }) => (sight === 'heard' ? [report] : []))
  const there = [own, ...heard].filter(({ process }) => process === 'gate').length
  return there < founders
    ? `the cluster is formed when ${founders} members are there, and ${there} ${there === 1 ? 'is' : 'are'}`
    : 'the cluster is about to be formed'
}

const first = (ledger: Ledger, own: MemberReport): Permission => {
  const { grant } = ledger
  // The folder was empty when this was decided: whatever is in it now came from this same try.
  if (ledger.phase === 'forming') {
    return { kind: 'form', with: Object.keys(grant?.members ?? {}) }
  }
  const chosen = grant?.position ?? null
  const { position } = own
  if (!own.recovered || position === null) return wait('its data are being recovered')
  if (
    chosen === null ||
    position.history !== chosen.history ||
    comparePositions(position, chosen) < 0
  ) {
    const wanted = chosen === null ? 'nothing' : positionText(chosen)
    return wait(`it was chosen for ${wanted} and holds ${positionText(position)}`)
  }
  return { kind: 'first', position }
}

/**
 * There is somebody to join. Whether anybody outside is, the software finds out: a member that is to
 * join and finds nobody never becomes primary.
 */
const canJoin = ({ topology, others }: View, ledger: Ledger): boolean =>
  topology.outside === true || livePrimary(others, ledger.epoch) !== undefined

const discard = (view: View, ledger: Ledger): Permission => {
  const { own } = view
  return ledger.phase === 'formed' && canJoin(view, ledger)
    ? { kind: 'reset', reason: 'its data are older than, or different from, what the cluster has' }
    : wait(
        `its data (${own.position ? positionText(own.position) : 'unusable'}) are set aside when ` +
          'the cluster runs',
      )
}

/**
 * Who votes compares histories with nobody: with data of another (made of a snapshot, and then decided
 * otherwise) it would be a cluster of its own.
 */
const isOfCluster = ({ highWater }: Ledger, { position }: MemberReport): boolean =>
  highWater === null || position === null || position.history === highWater.history

/** Into a cluster that has been formed. */
const enter = (
  view: View,
  { ledger, member }: { ledger: Ledger; member: LedgerMember },
): Permission => {
  const { topology, own, others } = view
  const known = isRecognised(member, own)
  const good = own.data === 'good' && (topology.recovers !== 'itself' || isOfCluster(ledger, own))
  if (good && known && topology.recovers === 'itself') {
    return { kind: 'rejoin', position: own.position }
  }
  const live = canJoin(view, ledger)
  if (good && known) {
    if (!live) return wait('no member is heard that runs')
    const before = inFront(ledger, own, { others, oneByOne: topology.joinsOneByOne })
    if (before !== null) return wait(before)
    return own.recovered
      ? { kind: 'join', position: own.position }
      : wait('its data are being recovered')
  }
  // With this folder it had joined, and its data are gone or broken: it is nobody now.
  if (own.data === 'damaged' || own.volume === member.volume) {
    return live
      ? { kind: 'reset', reason: 'its data are gone or broken' }
      : wait('no member is heard that runs, and its own data are gone or broken')
  }
  if (own.data === 'good') return wait('its folder is not the one that it had joined with')
  if (own.volume === null || own.volume !== member.admitted) {
    return wait('it has not been let in yet')
  }
  if (!live) return wait('no member is heard that runs')
  const before = inFront(ledger, own, { others, oneByOne: topology.joinsOneByOne })
  return before === null ? { kind: 'join', position: null } : wait(before)
}

/** Who has to be let in before it; null when it is its turn. */
const inFront = (
  ledger: Ledger,
  own: MemberReport,
  { others, oneByOne }: { others: readonly Sighting[]; oneByOne: boolean },
): string | null => {
  if (!oneByOne) return null
  for (const { report, sight } of others) {
    const member = ledger.members[report.id]
    if (sight !== 'heard' || member === undefined || member.leaving) continue
    // Whoever has just been let through says nothing yet, or that it is still outside.
    if (report.process === 'running' && !inPrimary(report)) {
      return `${report.id} joins first`
    }
    const ready =
      report.process === 'gate' &&
      report.epoch === ledger.epoch &&
      isRecognised(member, report) &&
      (report.data === 'empty' || (report.data === 'good' && report.recovered))
    if (ready && numberOf(report.id) < numberOf(own.id)) return `${report.id} joins first`
  }
  return null
}
