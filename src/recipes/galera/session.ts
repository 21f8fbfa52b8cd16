import type { MemberRole } from '../../catalog/index.ts'
import type { Answer } from '../recipe.ts'
import { DATA, FORMING, SOCKET } from './start.ts'

/** The client that everything of ours uses: root, by the socket, with no settings of the user's. */
const CLIENT = `mariadb --no-defaults --socket=${SOCKET} --user=root`

/**
 * Answers each line that it is given; the line's last word ends the answer. While the server does not
 * answer, e.g. receives state, this says so itself; then it becomes a client that stays connected.
 */
export const SESSION_SCRIPT = `#!/bin/sh
set -u
data=${DATA}
client="${CLIENT} --batch --skip-column-names --unbuffered --force"
while read -r line; do
  # A server may run that is none of the cluster yet.
  if [ -e "$data/${FORMING}" ]; then
    printf 'muster_forming\\t1\\n%s\\n' "\${line##* }"
    continue
  fi
  # Answered in every state of the server; most statements are refused outside the cluster.
  if why=$($client --connect-timeout=1 --execute='SHOW VARIABLES LIKE "wsrep_on"' 2>&1 >/dev/null); then
    # What was received is on the disk before it counts.
    sync -f "$data"
    echo "\${line##* }"
    exec $client 2>&1
  fi
  if [ "\${why#*Access denied}" != "$why" ]; then
    # Of a cluster that was made elsewhere: the accounts are as they were there.
    echo "muster_denied	1"
  elif [ -d "$data/.sst" ]; then
    echo "muster_transfer	$(du -sk "$data/.sst" 2>/dev/null | cut -f 1)"
  else
    echo "muster_starting	1"
  fi
  echo "\${line##* }"
done
`

const STATUS = [
  'wsrep_cluster_size',
  'wsrep_cluster_state_uuid',
  'wsrep_cluster_status',
  'wsrep_connected',
  'wsrep_last_committed',
  'wsrep_local_recv_queue',
  'wsrep_local_state',
  'wsrep_ready',
]
const VARIABLES = ['wsrep_reject_queries']

const names = (list: readonly string[]): string => list.map((name) => `'${name}'`).join(',')

/**
 * One line: the status first, which is answered whatever state the member is in; then a read that
 * waits for all that was committed before it anywhere. Without dirty reads a member outside would
 * refuse even the mark.
 */
export const ask = (mark: string): string =>
  `${[
    'SET SESSION wsrep_dirty_reads=ON, wsrep_sync_wait=0',
    `SHOW GLOBAL STATUS WHERE Variable_name IN (${names(STATUS)})`,
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names(VARIABLES)})`,
    'SET SESSION wsrep_dirty_reads=OFF, wsrep_sync_wait=1',
    `SELECT 'muster_causal', 1`,
    'SET SESSION wsrep_dirty_reads=ON, wsrep_sync_wait=0',
    `SELECT '${mark}'`,
  ].join('; ')}; -- ${mark}\n`

/** wsrep_local_state: 1 receives state, 2 gives it or is desynced, 3 catches up, 4 is synced. */
const ROLE: Record<string, MemberRole> = { 1: 'joining', 2: 'donor', 3: 'joining', 4: 'ready' }

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
/** -1 as an unsigned number: no position yet. */
const NO_SEQUENCE = '18446744073709551615'

/** Reads an answer, as far as it has come. */
export const readAnswer = (text: string): Answer | null => {
  const said = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [key, value] = line.split('\t')
    if (key !== undefined && value !== undefined) said.set(key, value.trim())
  }
  const transfer = said.get('muster_transfer')
  if (transfer !== undefined) return absent('joining', `receiving state, ${megabytes(transfer)}`)
  if (said.has('muster_denied')) {
    return absent('outside', 'root@localhost is not let in by the socket (VIA unix_socket)')
  }
  if (said.has('muster_forming')) return absent('outside', 'making the data folder')
  if (said.has('muster_starting')) return absent('outside', 'starting')

  const primary = said.get('wsrep_cluster_status')
  const state = said.get('wsrep_local_state')
  const size = said.get('wsrep_cluster_size')
  if (primary === undefined || state === undefined || size === undefined) return null
  const inside = primary === 'Primary' && said.get('wsrep_connected') === 'ON'
  const uuid = said.get('wsrep_cluster_state_uuid') ?? ''
  const sequence = said.get('wsrep_last_committed') ?? ''
  const known = UUID.test(uuid) && /^\d+$/.test(sequence) && sequence !== NO_SEQUENCE
  const role = inside ? roleOf(state, said) : 'outside'
  return {
    status: {
      role,
      size: inside && /^\d{1,4}$/.test(size) ? Number(size) : 0,
      component: inside && UUID.test(uuid) ? uuid : null,
      leads: null,
    },
    position: known ? { history: uuid, sequence } : null,
    causal: (role === 'ready' || role === 'donor') && said.has('muster_causal'),
    stuck:
      primary.toLowerCase() === 'disconnected'
        ? 'it has left the cluster for good: the others found it different, or it could not apply a change'
        : null,
    doing:
      role === 'joining' ? `catching up, ${said.get('wsrep_local_recv_queue') ?? '?'} to go` : null,
  }
}

const roleOf = (state: string, said: ReadonlyMap<string, string>): MemberRole => {
  const role = ROLE[state] ?? 'outside'
  const refuses =
    said.get('wsrep_ready') !== 'ON' || (said.get('wsrep_reject_queries') ?? 'NONE') !== 'NONE'
  return role === 'ready' && refuses ? 'outside' : role
}

/** The server does not answer yet. */
const absent = (role: MemberRole, doing: string): Answer => ({
  status: { role, size: 0, component: null, leads: null },
  position: null,
  causal: false,
  stuck: null,
  doing,
})

const megabytes = (kilobytes: string): string =>
  /^\d{1,15}$/.test(kilobytes) ? `${Math.round(Number(kilobytes) / 1024)} MB` : 'nothing yet'

/** Runs one statement as root. */
export const statement = (sql: string): string[] => [
  ...CLIENT.split(' '),
  '--connect-timeout=2',
  `--execute=${sql}`,
]

/** A client for people, or one statement and its answer as a table. */
export const shell = (sql: string | null): string[] => [
  ...CLIENT.split(' '),
  ...(sql === null ? [] : [`--execute=${sql}`, '--table']),
]
