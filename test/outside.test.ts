/** Galera clusters of which Muster runs a part: it joins one, and one joins its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { GaleraLab } from './galera-lab.ts'

const IMAGE = 'registry:5000/mariadb:10.11'
const ELSEWHERE = 'host-3'
const CLIENT = ['mariadb', '--no-defaults', '--batch', '--skip-column-names']

let galera: GaleraLab
let address = ''

/** Runs on the host that Muster has no member on. */
const outside = async (...command: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await galera.lab.exec(ELSEWHERE, ['docker', ...command], {
    timeoutMs: 120_000,
  })
  if (exitCode !== 0) throw new Error(`docker ${command.join(' ')}: ${stdout}${stderr}`)
  return stdout.trim()
}
let container = 'old'
const sqlOutside = (statement: string): Promise<string> =>
  outside('exec', container, ...CLIENT, `--execute=${statement}`)
const sizeOutside = () => sqlOutside("SHOW STATUS LIKE 'wsrep_cluster_size'").catch(() => '')

const file = (recipe: object): string =>
  JSON.stringify({
    name: 'shop',
    services: {
      db: {
        image: IMAGE,
        'x-muster': { recipe: { name: 'galera', ...recipe } },
        deploy: { replicas: 2, placement: { constraints: [`node.hostname!=${ELSEWHERE}`] } },
      },
    },
  })

const ids = ['db-1', 'db-2']
const rows = () => Promise.all(ids.map((id) => galera.sql(id, 'SELECT COUNT(*) FROM shop.t')))
const uuid = (id: string) => galera.sql(id, "SHOW STATUS LIKE 'wsrep_cluster_state_uuid'")

const SERVER = `
install -d -o mysql -g mysql /run/mysqld
exec mariadbd --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock --wsrep-on=ON \\
  --wsrep-provider=/usr/lib/galera/libgalera_smm.so --wsrep-node-address="$ADDRESS" \\
  --binlog-format=ROW --innodb-autoinc-lock-mode=2 --wsrep-sst-method=mariabackup \\
  --wsrep-sst-auth=mysql: --bind-address=0.0.0.0 "$@"
`
/** As somebody did it by hand, years ago. It has more votes than Muster's two members. */
const FIRST = `
mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
set -- --wsrep-cluster-name=old --wsrep-cluster-address=gcomm:// --wsrep-new-cluster \\
  --wsrep-provider-options=pc.weight=3
${SERVER}`

/** A server by hand, on the host's own network. */
const run = (name: string, script: string, ...options: string[]): Promise<string> =>
  outside(
    'run',
    '-d',
    `--name=${name}`,
    '--network=host',
    `--env=ADDRESS=${address}`,
    '--entrypoint=sh',
    IMAGE,
    '-c',
    script,
    name,
    ...options,
  )
const addressOf = async (host: string): Promise<string> => {
  const inspect = ['docker', 'node', 'inspect', host, '--format', '{{.Status.Addr}}']
  return (await galera.lab.exec('host-1', inspect)).stdout.trim()
}

beforeAll(async () => {
  galera = await GaleraLab.up('outside', 3)
  address = await addressOf(ELSEWHERE)
  await run('old', FIRST)
  await until('the cluster outside to run', () => sqlOutside('SELECT 1').catch(() => false), {
    timeoutMs: 60_000,
  })
  await sqlOutside('CREATE DATABASE shop; CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY)')
  await sqlOutside('INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_1000')
}, 600_000)

afterAll(async () => {
  await galera?.[Symbol.asyncDispose]()
})

describe('a cluster that runs outside', () => {
  it('is joined', async () => {
    await galera.must(['up', '-f', '-', '--yes'], {
      input: file({ members: [address], cluster: 'old' }),
    })
    await galera.ready(2)
    expect(await rows()).toEqual(['1000', '1000'])
    expect(await sqlOutside("SHOW STATUS LIKE 'wsrep_cluster_size'")).toContain('3')
    expect(await uuid('db-1')).toBe(await sqlOutside("SHOW STATUS LIKE 'wsrep_cluster_state_uuid'"))
    await galera.must(['sql', 'db', 'INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_10'])
    expect(await sqlOutside('SET wsrep_sync_wait=1; SELECT COUNT(*) FROM shop.t')).toBe('1010')
  }, 180_000)

  it('is found again when all of Muster’s members were killed', async () => {
    await galera.kill(...ids)
    await sqlOutside('INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_5')
    await galera.changed('db-1')
    await galera.ready(2)
    expect(await rows()).toEqual(['1015', '1015'])
    expect(await sqlOutside("SHOW STATUS LIKE 'wsrep_cluster_size'")).toContain('3')
  }, 180_000)

  it('is found again when they were stopped, and nobody forms another', async () => {
    await galera.must(['scale', 'db=0'])
    await sqlOutside('INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_5')
    await galera.must(['scale', 'db=2'])
    await galera.ready(2)
    expect(await rows()).toEqual(['1020', '1020'])
    expect(await sqlOutside("SHOW STATUS LIKE 'wsrep_cluster_size'")).toContain('3')
  }, 180_000)

  it('is not replaced while a person has not said that it is gone', async () => {
    await outside('kill', 'old')
    await galera.kill(...ids)
    await until(
      'the cluster to be held',
      async () => (await galera.muster(['why', 'db'])).stdout.includes('may run outside'),
      { timeoutMs: 240_000, intervalMs: 1000 },
    )
    await galera.must(['recover', 'db', '--from', 'db-1', '--yes'])
    await galera.ready(2)
    expect(await rows()).toEqual(['1020', '1020'])
  }, 420_000)
})

describe('a cluster that may be joined from outside', () => {
  it('is joined by a member that Muster does not run', async () => {
    await galera.must(['down', 'shop', '--volumes', '--yes'])
    await galera.must(['up', '-f', '-', '--yes'], {
      input: file({ reachable: true, cluster: 'new' }),
    })
    await galera.ready(2)
    await galera.must(['sql', 'db', 'CREATE DATABASE shop'])
    await galera.must(['sql', 'db', 'CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY)'])
    await galera.must(['sql', 'db', 'INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_1000'])

    container = 'guest'
    const peers = await Promise.all(['host-1', 'host-2'].map(addressOf))
    const join = `--wsrep-cluster-address=gcomm://${peers.join(',')}`
    await run(container, SERVER, '--wsrep-cluster-name=new', join)
    await until('the member outside to join', async () => (await sizeOutside()).endsWith('3'), {
      timeoutMs: 90_000,
    })
    expect(await sqlOutside('SET wsrep_sync_wait=1; SELECT COUNT(*) FROM shop.t')).toBe('1000')
    await sqlOutside('INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_10')
    expect(await galera.sql('db-1', 'SET wsrep_sync_wait=1; SELECT COUNT(*) FROM t')).toBe('1010')
  }, 300_000)

  it('goes on with it, and without it', async () => {
    await galera.kill('db-1')
    await galera.changed('db-1')
    await galera.ready(2)
    await until('all to be together', async () => (await sizeOutside()).endsWith('3'), {
      timeoutMs: 30_000,
    })
    await galera.must(['sql', 'db', 'INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_10'])
    expect(await sqlOutside('SET wsrep_sync_wait=1; SELECT COUNT(*) FROM shop.t')).toBe('1020')
    await outside('stop', container)
    await galera.must(['sql', 'db', 'INSERT INTO shop.t SELECT NULL FROM shop.seq_1_to_5'])
    await galera.ready(2)
    expect(await rows()).toEqual(['1025', '1025'])
  }, 180_000)
})
