import { until } from '../../src/base/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { providerOptions } from '../../src/recipes/galera/settings.ts'
import { FIND_PROVIDER } from '../../src/recipes/galera/start.ts'
import { agree, SqlWriter, type Writes } from '../../test/sql-writer.ts'
import { on } from '../support.ts'
import { BULK, type Side } from './side.ts'

const IMAGE = 'registry:5000/mariadb:10.11'
const NETWORK = 'hand'
const PASSWORD = 'not-a-secret'
const DATA = '/var/lib/mysql'
const CLIENT = ['mariadb', '--no-defaults', '--batch', '--skip-column-names']
/** In the data folder: the next start founds the cluster. */
const FIRST = 'first'

const SERVER = `--user=mysql --binlog-format=ROW --innodb-autoinc-lock-mode=2 --bind-address=0.0.0.0 \\
  --skip-name-resolve --innodb-flush-log-at-trx-commit=1 --wsrep-on=ON --wsrep-cluster-name=hand \\
  --wsrep-sst-method=mariabackup --wsrep-sst-auth=mysql: --wsrep-provider="$provider"`

/** What somebody writes who knows Galera well: one script that starts a member in every case. */
const START = `
set -eu
${FIND_PROVIDER}
cd ${DATA}
position= join=$PEERS
if [ -e ${FIRST} ] && [ ! -d mysql ]; then
  mariadb-install-db --user=mysql --datadir=${DATA} --skip-test-db >/dev/null
  {
    echo "CREATE DATABASE shop;"
    echo "CREATE USER app@'%' IDENTIFIED BY '${PASSWORD}';"
    echo "GRANT ALL ON shop.* TO app@'%';"
  } >/tmp/accounts.sql
  set -- --init-file=/tmp/accounts.sql
elif [ -d mysql ]; then
  position=$(mariadbd ${SERVER} --wsrep-recover --skip-networking --skip-log-error 2>&1 |
    sed -n 's/.*Recovered position: *\\([^ ,]*\\).*/\\1/p' | tail -n 1)
fi
if [ -e ${FIRST} ]; then
  rm ${FIRST}
  join=
  set -- "$@" --wsrep-new-cluster
  [ ! -e grastate.dat ] || sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' grastate.dat
fi
[ -z "$position" ] || set -- "$@" --wsrep-start-position="$position"
exec mariadbd ${SERVER} --wsrep-node-name="$NAME" --wsrep-cluster-address="gcomm://$join" \\
  --wsrep-provider-options="$OPTIONS" "$@"
`

const POSITION = `
${FIND_PROVIDER}
mariadbd ${SERVER} --datadir=${DATA} --wsrep-recover --skip-networking --skip-log-error 2>&1 |
  sed -n 's/.*Recovered position: *[^:]*:\\([0-9]*\\).*/\\1/p' | tail -n 1`

/**
 * The same image, started with `docker run` by somebody who makes no mistake and loses no time: the
 * commands come one after another from a script. A client that is refused goes to the next server.
 */
export class ByHand implements Side {
  readonly name = 'by hand'
  readonly #lab: Lab
  #members: string[] = []

  constructor(lab: Lab) {
    this.#lab = lab
  }

  async begin(): Promise<void> {
    await this.#on('host-1', 'network', 'create', '-d', 'overlay', '--attachable', NETWORK)
    const client = ['run', '-d', '--init', '--name', 'client', '--network', NETWORK]
    await this.#on('host-1', ...client, '--entrypoint', 'sleep', IMAGE, 'infinity')
    await this.#run('hand-1', { first: true })
    this.#members = ['hand-1']
  }

  async clients(): Promise<SqlWriter> {
    const servers = ['hand-1', 'hand-2', 'hand-3']
    const account = { user: 'app', password: PASSWORD, database: 'shop' }
    return new SqlWriter({
      lab: this.#lab,
      host: 'host-1',
      container: 'client',
      servers,
      ...account,
    })
  }

  /** By hand a member is started when the one before it is synced: two joiners need two donors. */
  async ready(count: number, timeoutMs = 120_000): Promise<string[]> {
    await this.#synced(this.#members, timeoutMs)
    while (this.#members.length < count) await this.#add(timeoutMs)
    return [...this.#members]
  }

  async #add(timeoutMs: number): Promise<void> {
    const name = `hand-${this.#members.length + 1}`
    await this.#run(name, { first: false })
    this.#members.push(name)
    await this.#synced([name], timeoutMs)
  }

  async writer(): Promise<string> {
    return 'hand-1'
  }

  async reader(): Promise<string> {
    return 'hand-3'
  }

  async crash(members: readonly string[]): Promise<void> {
    await Promise.all(members.map((each) => this.#docker(each, 'kill', '-s', 'KILL', each)))
    if (members.length === this.#members.length) return this.recover()
    await Promise.all(members.map((each) => this.#docker(each, 'start', each)))
  }

  async powerCycle(): Promise<void> {
    await Promise.all(this.#lab.hosts.map((host) => this.#lab.kill(host)))
    await Promise.all(this.#lab.hosts.map((host) => this.#lab.start(host)))
  }

  /** Who has the newest data is first, and the others join it. */
  async recover(): Promise<void> {
    const positions = await Promise.all(
      this.#members.map(async (member) => ({
        member,
        sequence: Number(await this.#inData(member, POSITION)),
      })),
    )
    const [newest] = positions.sort((a, b) => b.sequence - a.sequence)
    if (newest === undefined) return
    await this.#inData(newest.member, `touch ${DATA}/${FIRST}`)
    await this.#docker(newest.member, 'start', newest.member)
    await this.#docker('client', 'start', 'client')
    await this.#synced([newest.member], 60_000)
    const others = this.#members.filter((each) => each !== newest.member)
    await Promise.all(others.map((each) => this.#docker(each, 'start', each)))
  }

  async switchover(): Promise<void> {
    await this.#sql('hand-1', 'SET GLOBAL read_only=ON')
  }

  async rollingUpdate(): Promise<void> {
    for (const member of [...this.#members].reverse()) {
      await this.#docker(member, 'restart', '-t', '60', member)
      await this.#synced([member], 60_000)
    }
  }

  async grow(count: number): Promise<void> {
    await this.ready(count, 240_000)
  }

  async shrink(): Promise<void> {
    for (const member of this.#members.splice(3)) {
      await this.#docker(member, 'stop', '-t', '60', member)
      await this.#docker(member, 'rm', '-v', member)
    }
  }

  async fill(): Promise<void> {
    await this.#sql('hand-1', BULK)
  }

  agree(writes: Writes, members: readonly string[]): Promise<unknown> {
    return agree(writes, members, (member, statement) => this.#sql(member, statement))
  }

  async end(): Promise<void> {
    for (const each of [...this.#members, 'client']) await this.#docker(each, 'rm', '-fv', each)
    await this.#on('host-1', 'network', 'rm', NETWORK)
  }

  async #run(member: string, { first }: { first: boolean }): Promise<void> {
    const peers = ['hand-1', 'hand-2', 'hand-3'].join(',')
    const variables = {
      NAME: member,
      PEERS: peers,
      OPTIONS: providerOptions({}),
    }
    if (first) await this.#inData(member, `touch ${DATA}/${FIRST}`)
    const place = ['--name', member, '--network', NETWORK]
    const mount = ['--mount', `type=volume,src=${member},dst=${DATA}`]
    const env = Object.entries(variables).flatMap(([key, value]) => ['-e', `${key}=${value}`])
    const run = ['run', '-d', ...place, ...mount, ...env, '--entrypoint', 'sh', IMAGE, '-c', START]
    await this.#docker(member, ...run)
  }

  /** A command on the data of a member that does not run. */
  #inData(member: string, command: string): Promise<string> {
    const mount = `type=volume,src=${member},dst=${DATA}`
    const run = ['run', '--rm', '--network', 'none', '--mount', mount, '--entrypoint', 'sh']
    return this.#docker(member, ...run, IMAGE, '-c', command)
  }

  #synced(members: readonly string[], timeoutMs: number): Promise<unknown> {
    return Promise.all(
      members.map((member) =>
        until(
          `${member} to be synced`,
          async () => {
            try {
              const status = await this.#sql(member, "SHOW STATUS LIKE 'wsrep_%'")
              return (
                /wsrep_local_state_comment\s+Synced/.test(status) && /wsrep_ready\s+ON/.test(status)
              )
            } catch {
              return false
            }
          },
          { timeoutMs, intervalMs: 200 },
        ),
      ),
    )
  }

  #sql(member: string, statement: string): Promise<string> {
    return this.#docker(member, 'exec', member, ...CLIENT, `--execute=${statement}`, 'shop')
  }

  /** Each member has its host: hand-2 is on host-2. */
  #docker(container: string, ...argv: string[]): Promise<string> {
    const number = /\d+$/.exec(container)?.[0] ?? '1'
    return this.#on(`host-${number}`, ...argv)
  }

  async #on(host: string, ...argv: string[]): Promise<string> {
    return (await on(this.#lab, host, ['docker', ...argv])).trim()
  }
}
