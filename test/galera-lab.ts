/** A lab with a Galera cluster on it, driven as a user does; used by the test and by the bench. */
import { until } from '../src/base/index.ts'
import { bringUp, MemberLab, ROOT } from './member-lab.ts'
import { agree, SqlWriter, type Writes } from './sql-writer.ts'

export type { MemberLine } from './member-lab.ts'

const IMAGE = 'registry:5000/mariadb:10.11'
const PASSWORD = 'not-a-secret'

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

  /** The clients of the stack, which write through the service's name. */
  async writer(): Promise<SqlWriter> {
    const { host, id } = await until(
      'the client to run',
      () => this.container('client').catch(() => false as const),
      { timeoutMs: 60_000 },
    )
    const account = { user: 'app', password: PASSWORD, database: 'shop' }
    return new SqlWriter({ lab: this.lab, host, container: id, servers: ['db'], ...account })
  }

  async startWriting(): Promise<void> {
    const writer = await this.writer()
    this.#rows += 1_000_000
    await writer.start(this.#rows)
    await writer.first()
  }

  async stopWriting(): Promise<Writes> {
    return (await this.writer()).stop()
  }

  /** Every member holds the same rows, and each that was acknowledged. Returns how many rows. */
  agree(writes: Writes, members: string[]): Promise<number> {
    return agree(writes, members, (member, statement) => this.sql(member, statement))
  }
}
