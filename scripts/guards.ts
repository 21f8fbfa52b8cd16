/** The guards of clustered services, and what the code is without each. */
export interface Guard {
  name: string
  /** In src/members. */
  file: string
  /** Occurs once. */
  guard: string
  without: string
}

const inElection = (name: string, guard: string, without: string): Guard => ({
  name,
  file: 'election.ts',
  guard,
  without,
})
const inPermit = (name: string, guard: string, without: string): Guard => ({
  name,
  file: 'permit.ts',
  guard,
  without,
})

export const GUARDS: readonly Guard[] = [
  inElection('the newest is first', 'comparePositions(b.position, a.position) > 0 ? b : a', 'a'),
  inElection(
    'the high-water mark',
    'if (isNewer(ledger.highWater, best.position)) {',
    'if (isNewer(null, best.position)) {',
  ),
  inElection(
    'the history of the ledger',
    'ledger.highWater.history !== best.position.history) {',
    'ledger.highWater.history === "") {',
  ),
  inElection('histories of copies compared', 'if (other !== undefined) {', 'if (other === one) {'),
  inElection(
    'newer data of one not heard',
    'return ahead === undefined ? null',
    'return ahead === undefined || best !== null ? null',
  ),
  inElection('lost writer', 'if (writerLost) {', 'if (writerLost && seen.length === 0) {'),
  inElection(
    'several not heard',
    'if (missing.length > 1) return',
    'if (missing.length > 99) return',
  ),
  inElection(
    'too few copies beside one not heard',
    'if (copies.length * 2 <= all) return',
    'if (copies.length === 0) return',
  ),
  inElection(
    'writer not heard',
    'if (ledger.writer === null || ledger.writer === one.id) {',
    'if (one.id === "") {',
  ),
  inElection('others left in good order', 'return polite === undefined', 'return polite !== one'),
  inElection(
    'patience with those not heard',
    'if (evidence.missing.some(isPatient(facts))) return patience(evidence.missing)',
    '',
  ),
  inElection('data still looked at', 'if (pending.length > 0) {', 'if (pending.length > 99) {'),
  inElection(
    'others have to stop first',
    'if (running.length > 0) {',
    'if (running.length > 99) {',
  ),
  inElection(
    'who was not heard is set aside',
    'finish(evidence, running ?? equals[0] ?? best, evidence.missing)',
    'finish(evidence, running ?? equals[0] ?? best, [])',
  ),
  inElection(
    'what a person gave up is set aside',
    'voters.length > 0 ? others : [...unlike, ...missing]',
    '[]',
  ),
  {
    name: 'silence is no death',
    file: 'sight.ts',
    guard: "heard: host !== undefined && sighting?.sight === 'heard',",
    without: 'heard: host !== undefined && sighting !== undefined,',
  },
  inPermit(
    'an older epoch is not obeyed',
    "if (own.epoch > ledger.epoch) return wait('a newer decision is on its way')",
    '',
  ),
  inPermit(
    'a newer epoch is promised first',
    "if (own.epoch < ledger.epoch) return wait('this host has not accepted the newest decision yet')",
    '',
  ),
  inPermit(
    'folder in a grant',
    'ledger.grant.members[own.id] === own.volume &&',
    'own.id in ledger.grant.members &&',
  ),
  inPermit('a grant is used once', 'own.founded < ledger.epoch', 'true'),
  inPermit("winner's position", 'comparePositions(position, chosen) < 0', 'false'),
  inPermit("winner's history", 'position.history !== chosen.history ||', ''),
  inPermit(
    'its data are recovered',
    'if (!own.recovered || position === null)',
    'if (position === null)',
  ),
  inPermit(
    'given up data are not used',
    'if (own.volume !== null && own.volume === member.discarded) return discard(view, ledger)',
    '',
  ),
  inPermit(
    'folder that had joined',
    'const known = isRecognised(member, own)',
    'const known = true',
  ),
  inPermit(
    'only who was let in joins',
    'own.volume !== member.admitted) {',
    'own.volume === "") {',
  ),
  inPermit('somebody to join', 'livePrimary(others, ledger.epoch) !== undefined', 'true'),
  inPermit('order of joining', 'if (!oneByOne) return null', 'return null'),
  inPermit("voters' history", 'highWater === null || position === null ||', 'true ||'),
  inPermit(
    'another host',
    "if (member.host !== own.host) return refuse('it belongs to another host')",
    '',
  ),
  {
    name: 'order of letting in',
    file: 'joining.ts',
    guard: 'if (topology.joinsOneByOne && busy) return',
    without: 'if (topology.joinsOneByOne && busy && next.id === "") return',
  },
  {
    name: 'voters leave before others come',
    file: 'joining.ts',
    guard: 'leaving !== undefined) {',
    without: 'leaving?.id === "") {',
  },
  {
    name: 'voters come while a majority is ready',
    file: 'joining.ts',
    guard: 'ready.length * 2 <= voters.length)',
    without: 'ready.length > 99)',
  },
  {
    name: 'a grant withdrawn after its promise',
    file: 'grants.ts',
    guard: 'if (left.length > 0) {',
    without: 'if (left.length > 99) {',
  },
  {
    name: 'a grant goes when it is released',
    file: 'upkeep.ts',
    guard: 'unreleased(next.grant, seen).length === 0',
    without: 'true',
  },
  {
    name: 'who runs in an older epoch is not alive',
    file: 'recovering.ts',
    guard: 'primaries(seen).filter(({ report }) => report.epoch >= ledger.epoch)',
    without: 'primaries(seen)',
  },
  {
    name: 'who runs stops while copies are compared',
    file: 'standing.ts',
    guard: "return alone && !other && !byItself && own.status?.role === 'outside'",
    without: "return !other && !byItself && own.status?.role === 'outside'",
  },
  {
    name: 'an order is known by its time',
    file: 'order.ts',
    guard: 'Math.max(now, (order?.at ?? 0) + 1)',
    without: 'Math.floor(now / 1e12)',
  },
  {
    name: 'the mark moves by the own clock',
    file: 'upkeep.ts',
    guard: 'markedFor < MEMBER_TUNABLES.highWater',
    without: 'now - highWater.at < MEMBER_TUNABLES.highWater',
  },
  {
    name: 'data that nobody knows of',
    file: 'forming.ts',
    guard: 'if (copies.length === 0) return null',
    without: 'if (copies.length >= 0) return null',
  },
  {
    name: 'none beside a writer that runs',
    file: 'winding-down.ts',
    guard: 'if (last && certain && final',
    without: 'if (last && final',
  },
]
