import type { Recovered } from '../recipe.ts'
import { DATA, FIND_PROVIDER, FORMING } from './start.ts'

/**
 * Asks InnoDB, after its own recovery, how far the data is: the only word that counts, because
 * Galera's state file knows a position only after a clean stop. Prints `recovered: UUID:SEQNO`, the
 * state file, and what else tells about the data. Ends with 0 but when the server fails.
 */
export const RECOVER_SCRIPT = `#!/bin/sh
# How far is the data of this member? Changes nothing but what InnoDB's recovery does.
set -u
data=${DATA}
[ -e "$data/${FORMING}" ] && { echo 'forming: yes'; exit 0; }
[ -d "$data/.sst" ] && { echo 'transfer: cut off'; exit 0; }
[ -d "$data/mysql" ] || { echo 'empty: yes'; exit 0; }
[ "$(stat -c %U "$data")" = mysql ] || chown -R mysql:mysql "$data"
[ -d /run/mysqld ] || install -d -o mysql -g mysql /run/mysqld
# Galera fills the file up with spaces when it gets shorter: then its last line has no end.
[ -e "$data/grastate.dat" ] && { sed 's/^/state: /' "$data/grastate.dat"; echo; }
${FIND_PROVIDER}
log=$(mktemp)
try() {
  mariadbd --user=mysql --datadir="$data" --wsrep-recover --wsrep-on=ON \\
    --wsrep-provider="$provider" --wsrep-cluster-address=gcomm:// --binlog-format=ROW --skip-networking \\
    --skip-log-error "$@" >"$log" 2>&1
}
if ! try; then
  if ! grep -q 'prepared transactions' "$log"; then cat "$log" >&2; exit 1; fi
  # Left between the two steps of a commit, and the log that would decide is gone.
  echo 'prepared: rolled back'
  try --tc-heuristic-recover=ROLLBACK
  if ! try; then cat "$log" >&2; exit 1; fi
fi
grep -q 'Recovered position' "$log" || cat "$log" >&2
sed -n 's/.*WSREP: Recovered position: *\\([^ ]*\\).*/recovered: \\1/p' "$log" | tail -n 1
rm -f "$log"
`

const POSITION = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):(-?\d+)(?:,|$)/
const NO_HISTORY = '00000000-0000-0000-0000-000000000000'

const RECOVERED_NOTHING: Recovered = { position: null, clean: false, damaged: null }
const damaged = (reason: string): Recovered => ({ ...RECOVERED_NOTHING, damaged: reason })

/** Reads what the script has said. Null: it could not tell. */
export const readRecovered = (answer: {
  exit: number
  stdout: string
  stderr: string
}): Recovered | null => {
  const said = new Map<string, string>()
  for (const line of answer.stdout.split('\n')) {
    // `recovered: x`, or a line of the state file: `state: uuid: x`.
    const [, key, value] = /^((?:state: )?[a-z_]+): *(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) said.set(key, value)
  }
  if (said.has('empty') || said.has('forming')) return RECOVERED_NOTHING
  if (said.has('transfer')) return damaged('a transfer of state into it was cut off')
  if (answer.exit !== 0) return failure(answer.stderr)
  const word = said.get('recovered')
  if (word === undefined) return null
  const [, history, sequence] = POSITION.exec(word) ?? []
  if (history === undefined || sequence === undefined) return null
  const uuid = said.get('state: uuid')
  if (history === NO_HISTORY || sequence.startsWith('-')) {
    return uuid === undefined ? RECOVERED_NOTHING : damaged('it knows no position')
  }
  if (said.has('prepared')) {
    return damaged('transactions were in the middle of being committed and had to be rolled back')
  }
  if (uuid === NO_HISTORY) {
    return damaged('the others found it different, or it ended in the middle of a schema change')
  }
  const position = { history, sequence }
  return {
    position,
    clean: uuid === history && said.get('state: seqno') === sequence,
    damaged: null,
  }
}

/** The server's recovery fails. That is the data's fault only if InnoDB says so. */
const failure = (stderr: string): Recovered | null => {
  const line = stderr
    .split('\n')
    .find((each) => /\[ERROR\].*(InnoDB|corrupt|Aria)|InnoDB: .*(corrupt|cannot)/i.test(each))
  if (line === undefined) return null
  // A full disk or a lock is no damage.
  if (/No space left|lock|Permission denied|\b(?:11|13|28)\b/i.test(stderr)) return null
  return damaged(`its recovery fails: ${line.replace(/^.*?\[ERROR\] */, '').slice(0, 200)}`)
}
