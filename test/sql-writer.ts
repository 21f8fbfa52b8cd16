/** A client in a container that writes all the time, and what it saw. */
import { until } from '../src/base/index.ts'
import type { Lab } from '../src/lab/index.ts'

/** What a client saw that wrote all the time. */
export interface Writes {
  /** Numbers of the rows whose commit was acknowledged. */
  acknowledged: number[]
  /** Attempts that failed, of a client that goes on with the next row. */
  refused: number
  /** Rows that were not written, by a client that tries each once more after a second. */
  failed: number
  /** Longest time between two acknowledged commits of the first client. */
  longestGapMs: number
  /** When a row was acknowledged for the first time; milliseconds since 1970. */
  firstAt: number | null
  /** First words of the errors, each once. */
  errors: string[]
}

export interface SqlClient {
  lab: Lab
  host: string
  /** Container with the `mariadb` client in it. */
  container: string
  /** Servers that it knows; it goes to the next when one refuses. */
  servers: readonly string[]
  user: string
  password: string
  database: string
}

const TABLE = 'CREATE TABLE IF NOT EXISTS rows_ (n BIGINT PRIMARY KEY)'

/**
 * Two clients, a new connection for each row. One hurries on whatever happens, and shows the gaps; the
 * other is as an application that tries a second time.
 */
const script = ({ user, password, database }: SqlClient): string => `
mode=$1 i=$2
shift 2
sql() { timeout 3 mariadb --no-defaults --connect-timeout=1 -h "$1" -u ${user} -p${password} ${database} -e "$2" 2>"/tmp/error.$mode"; }
next() { first=$1; shift; set -- "$@" "$first"; servers="$*"; }
set -- $*
until sql "$1" "${TABLE}" || [ -e /tmp/stop ]; do next "$@"; set -- $servers; sleep 0.05; done
while [ ! -e /tmp/stop ]; do
  i=$((i + 1)) tries=1
  until sql "$1" "INSERT IGNORE INTO rows_ VALUES ($i)"; do
    next "$@"; set -- $servers
    [ "$mode" = patient ] && [ "$tries" = 1 ] || { tries=0; break; }
    tries=2
    sleep 1
  done
  if [ "$tries" = 0 ]
  then echo "$(date +%s%3N) no $i $(head -c 120 "/tmp/error.$mode" | tr '\\n' ' ')"
  else echo "$(date +%s%3N) ok $i"
  fi
  sleep 0.02
done >"/tmp/writes.$mode"
touch "/tmp/ended.$mode"
`

/** Far enough from the other's rows. */
const PATIENT_ROWS = 500_000

export class SqlWriter {
  readonly #client: SqlClient

  constructor(client: SqlClient) {
    this.#client = client
  }

  /** Begins to write rows from this number on, as soon as a server lets it. */
  async start(firstRow: number): Promise<void> {
    const text = script(this.#client)
    await this.#exec('sh', '-c', 'rm -f /tmp/stop /tmp/ended.* /tmp/writes.*')
    for (const [mode, row] of [
      ['hurried', firstRow],
      ['patient', firstRow + PATIENT_ROWS],
    ] as const) {
      await this.#docker(
        'exec',
        '-d',
        this.#client.container,
        'sh',
        '-c',
        text,
        'writer',
        mode,
        String(row),
        ...this.#client.servers,
      )
    }
  }

  /** Until a row has been written. */
  async first(timeoutMs = 30_000): Promise<void> {
    await until(
      'the first write',
      async () => (await this.#exec('grep', '-q', ' ok ', '/tmp/writes.hurried')).exitCode === 0,
      { timeoutMs, intervalMs: 200 },
    )
  }

  async stop(): Promise<Writes> {
    await this.#exec('touch', '/tmp/stop')
    await until(
      'the clients to end',
      async () =>
        (await this.#exec('test', '-e', '/tmp/ended.hurried', '-a', '-e', '/tmp/ended.patient'))
          .exitCode === 0,
      { timeoutMs: 20_000 },
    )
    const [hurried, patient] = await Promise.all(
      ['hurried', 'patient'].map((mode) => this.#exec('cat', `/tmp/writes.${mode}`)),
    )
    return readWrites(hurried?.stdout ?? '', patient?.stdout ?? '')
  }

  #exec(...argv: string[]) {
    return this.#docker('exec', this.#client.container, ...argv)
  }

  #docker(...argv: string[]) {
    return this.#client.lab.exec(this.#client.host, ['docker', ...argv])
  }
}

/** Of the lines that the two clients leave. */
export const readWrites = (hurried: string, patient: string): Writes => {
  const first = readLines(hurried)
  const second = readLines(patient)
  const times = first.acknowledged.map(({ at }) => at)
  return {
    acknowledged: [...first.acknowledged, ...second.acknowledged].map(({ row }) => row),
    refused: first.errors.length,
    failed: second.errors.length,
    longestGapMs: Math.max(0, ...times.slice(1).map((at, i) => at - (times[i] ?? at))),
    firstAt: times[0] ?? null,
    errors: [...new Set([...first.errors, ...second.errors])],
  }
}

const readLines = (text: string) => {
  const acknowledged: { at: number; row: number }[] = []
  const errors: string[] = []
  for (const line of text.split('\n')) {
    const [time, result, row, ...words] = line.split(' ')
    if (result === 'ok') acknowledged.push({ at: Number(time), row: Number(row) })
    if (result === 'no') errors.push(words.join(' ').slice(0, 80))
  }
  return { acknowledged, errors }
}

/**
 * Every member holds the same rows, and each that was acknowledged. Returns how many rows. `sql` runs a
 * statement inside a member.
 */
export const agree = async (
  writes: Writes,
  members: readonly string[],
  sql: (member: string, statement: string) => Promise<string>,
): Promise<number> => {
  const sums = await Promise.all(
    members.map((each) =>
      sql(each, 'SET wsrep_sync_wait=1; CHECKSUM TABLE rows_; SELECT COUNT(*) FROM rows_'),
    ),
  )
  if (new Set(sums).size !== 1) throw new Error(`members disagree: ${JSON.stringify(sums)}`)
  const have = new Set((await sql(members[0] ?? '', 'SELECT n FROM rows_')).split('\n').map(Number))
  const lost = writes.acknowledged.filter((n) => !have.has(n))
  if (lost.length > 0) throw new Error(`acknowledged and lost: ${lost.slice(0, 20).join(', ')}`)
  return have.size
}
