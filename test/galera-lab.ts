/** A lab with a Galera cluster on it, driven as a user does; used by the test and by the bench. */
import { until } from '../src/base/index.ts'
import { bringUp, MemberLab, ROOT } from './member-lab.ts'

export type { MemberLine } from './member-lab.ts'

const IMAGE = 'registry:5000/mariadb:10.11'
const PASSWORD = 'not-a-secret'

/** What a client saw that wrote all the time. */
export interface Writes {
  /** Numbers of the rows whose commit was acknowledged. */
  acknowledged: number[]
  refused: number
  /** Longest time between two acknowledged commits. */
  longestGapMs: number
  /** First words of the errors, each once. */
  errors: string[]
}

const compose = (members: number, environment: Record<string, string> = {}): string =>
  JSON.stringify({
    name: 'shop',
    services: {
      db: {
        image: IMAGE,
        environment: {
          MARIADB_DATABASE: 'shop',
          MARIADB_USER: 'app',
          MARIADB_PASSWORD: PASSWORD,
          ...environment,
        },
        'x-muster': { recipe: 'galera' },
        deploy: { replicas: members },
        ports: ['3306:3306'],
      },
      client: {
        image: IMAGE,
        entrypoint: ['sleep', 'infinity'],
        init: true,
        'x-muster': { recipe: false },
        stop_grace_period: '1s',
      },
    },
  })

const WRITER = `
i=$1
while [ ! -e /tmp/stop ]; do
  i=$((i + 1))
  if timeout 3 mariadb --no-defaults --connect-timeout=1 -h db -u app -p${PASSWORD} shop -e "INSERT INTO rows_ VALUES ($i)" 2>/tmp/error
  then echo "$(date +%s%3N) ok $i"
  else echo "$(date +%s%3N) no $i $(head -c 120 /tmp/error | tr '\\n' ' ')"
  fi
  sleep 0.02
done >>/tmp/writes
touch /tmp/ended
`

export class GaleraLab extends MemberLab {
  #rows = 0

  /** Hosts, images and a cluster of managers; nothing is deployed yet. */
  static async up(
    name: string,
    hosts: number,
    onProgress?: (line: string) => void,
  ): Promise<GaleraLab> {
    const images = [{ name: 'mariadb:10.11', context: `${ROOT}images/mariadb` }]
    const lab = await bringUp({ name, hosts, images, onProgress })
    return new GaleraLab({ lab, stack: 'shop', service: 'db' })
  }

  up(members: number, environment?: Record<string, string>): Promise<string> {
    return this.must(['up', '-f', '-', '--yes'], { input: compose(members, environment) })
  }

  /** The Compose file. */
  file(members: number, environment?: Record<string, string>): string {
    return compose(members, environment)
  }

  /** A statement as root inside one member. */
  async sql(member: string, statement: string): Promise<string> {
    const { host, id } = await this.container(member)
    const client =
      'mariadb --no-defaults -N -B --socket=/run/mysqld/mysqld.sock -uroot shop -e'.split(' ')
    const run = ['docker', 'exec', id, ...client, statement]
    const { exitCode, stdout, stderr } = await this.lab.exec(host, run)
    if (exitCode !== 0) throw new Error(`${member}: ${stderr}`)
    return stdout.trim()
  }

  /** One row through the service's name. */
  async write(host?: string): Promise<boolean> {
    this.#rows++
    const statement = `CREATE TABLE IF NOT EXISTS shop.probe (n INT PRIMARY KEY); REPLACE INTO shop.probe VALUES (${this.#rows})`
    const { exitCode } = await this.muster(
      ['sql', 'db', statement],
      host === undefined ? {} : { host },
    )
    return exitCode === 0
  }

  async startWriting(): Promise<void> {
    const { host, id } = await this.container('client')
    const run = (...argv: string[]) => this.lab.exec(host, ['docker', 'exec', ...argv])
    await this.must(['sql', 'db', 'CREATE TABLE IF NOT EXISTS shop.rows_ (n BIGINT PRIMARY KEY)'])
    await run(id, 'rm', '-f', '/tmp/stop', '/tmp/ended', '/tmp/writes')
    this.#rows += 1_000_000
    await run('-d', id, 'sh', '-c', WRITER, 'writer', String(this.#rows))
    await until(
      'the first write',
      async () => (await run(id, 'grep', '-c', ' ok ', '/tmp/writes')).exitCode === 0,
      { timeoutMs: 30_000 },
    )
  }

  async stopWriting(): Promise<Writes> {
    const { host, id } = await this.container('client')
    await this.lab.exec(host, ['docker', 'exec', id, 'touch', '/tmp/stop'])
    await until(
      'the client to end',
      async () =>
        (await this.lab.exec(host, ['docker', 'exec', id, 'test', '-e', '/tmp/ended'])).exitCode ===
        0,
      { timeoutMs: 15_000 },
    )
    const { stdout } = await this.lab.exec(host, ['docker', 'exec', id, 'cat', '/tmp/writes'])
    return readWrites(stdout)
  }

  /** Every member holds the same rows, and each that was acknowledged. Returns how many rows. */
  async agree(writes: Writes, members: string[]): Promise<number> {
    const sums = await Promise.all(
      members.map((each) =>
        this.sql(each, 'SET wsrep_sync_wait=1; CHECKSUM TABLE rows_; SELECT COUNT(*) FROM rows_'),
      ),
    )
    if (new Set(sums).size !== 1) throw new Error(`members disagree: ${JSON.stringify(sums)}`)
    const have = new Set(
      (await this.sql(members[0] ?? '', 'SELECT n FROM rows_')).split('\n').map(Number),
    )
    const lost = writes.acknowledged.filter((n) => !have.has(n))
    if (lost.length > 0) throw new Error(`acknowledged and lost: ${lost.slice(0, 20).join(', ')}`)
    return have.size
  }
}

/** Of the lines that the writer leaves. */
export const readWrites = (text: string): Writes => {
  const acknowledged: number[] = []
  const errors = new Set<string>()
  let refused = 0
  let last: number | undefined
  let longestGapMs = 0
  for (const line of text.split('\n')) {
    const [time, result, n, ...words] = line.split(' ')
    if (result === 'no') {
      refused++
      errors.add(words.join(' ').slice(0, 80))
    }
    if (result !== 'ok') continue
    const at = Number(time)
    if (last !== undefined) longestGapMs = Math.max(longestGapMs, at - last)
    last = at
    acknowledged.push(Number(n))
  }
  return { acknowledged, refused, longestGapMs, errors: [...errors] }
}
