/** A bank on a Galera cluster: transfers between accounts, through a balancer. */
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../../src/base/index.ts'
import { ROOT } from '../../member-lab.ts'
import { ClientLog } from '../client-log.ts'
import { longestGap } from '../gaps.ts'
import {
  broken,
  type Placed,
  type Violation,
  type Workload,
  type WorkloadKind,
  type WorkloadPlace,
} from '../workload.ts'
import { BankClients } from './clients.ts'
import { type Login, MysqlConnection } from './mysql.ts'
import { disagreements, judge, oneComponent, type Attempt, type Tables } from './oracle.ts'

const STACK = 'shop'
const SERVICE = 'db'
const PORT = 3306
const PASSWORD = 'not-a-secret'
const ACCOUNTS = 60
const INITIAL = 1000
const WORKERS = 6
/** Of each worker: 60 transfers a second in all. */
const EVERY_MS = 100
const FILL_ROWS = 16
const FILL_MS = 8000

const compose = ({ members, revision }: { members: number; revision: number }): string =>
  JSON.stringify({
    name: STACK,
    services: {
      [SERVICE]: {
        image: 'registry:5000/muster/mariadb:10.11',
        environment: {
          MARIADB_DATABASE: 'bank',
          MARIADB_USER: 'bank',
          MARIADB_PASSWORD: PASSWORD,
          REVISION: String(revision),
        },
        'x-muster': { recipe: 'galera' },
        deploy: { replicas: members },
      },
      balancer: {
        image: 'registry:5000/muster/haproxy:2.6',
        environment: { SERVICE_NAME: SERVICE, SERVICE_PORTS: String(PORT) },
        ports: [`${PORT}:${PORT}`],
        deploy: { replicas: 2 },
      },
    },
  })

const SCHEMA = [
  'CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL)',
  // No unique key on the transfer's own number: one that is there twice has to show.
  `CREATE TABLE transfers (seq BIGINT AUTO_INCREMENT PRIMARY KEY, id BIGINT NOT NULL,
    src INT NOT NULL, dst INT NOT NULL, amount INT NOT NULL, KEY (id))`,
  'CREATE TABLE filling (n INT AUTO_INCREMENT PRIMARY KEY, data LONGBLOB NOT NULL)',
]

const STATUS = `SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
  WHERE VARIABLE_NAME IN ('WSREP_CLUSTER_STATE_UUID', 'WSREP_CLUSTER_CONF_ID',
    'WSREP_CLUSTER_SIZE', 'WSREP_CLUSTER_STATUS')`
const ACCOUNTS_SQL = 'SELECT id, balance FROM accounts ORDER BY id'
const TRANSFERS_SQL = 'SELECT id, src, dst, amount FROM transfers ORDER BY seq'
const PROBE_SQL = 'SELECT COUNT(*) FROM accounts'
const ALL_SQL = `SET wsrep_sync_wait=15; ${ACCOUNTS_SQL};
  SELECT seq, id, src, dst, amount FROM transfers ORDER BY seq;
  SELECT n, MD5(data) FROM filling ORDER BY n`

const open = (place: WorkloadPlace): Workload => {
  const log = new ClientLog<Attempt>(place.folder)
  const logins = place.lab.lab.hosts.map((host): Login => ({
    host: place.lab.lab.address(host),
    port: PORT,
    user: 'bank',
    password: PASSWORD,
    database: 'bank',
    timeoutMs: 5000,
  }))
  const initial = new Map(Array.from({ length: ACCOUNTS }, (_, i) => [i, INITIAL]))
  const clients = new BankClients({
    log,
    logins,
    accounts: ACCOUNTS,
    workers: WORKERS,
    everyMs: EVERY_MS,
  })
  return {
    prepare: async () => {
      const values = [...initial].map(([id, balance]) => `(${id}, ${balance})`)
      await ask(logins, [...SCHEMA, `INSERT INTO accounts VALUES ${values.join(', ')}`])
    },
    start: () => clients.start(),
    stop: () => clients.stop(),
    fill: () => fill(logins),
    brokenWays: () =>
      broken(
        logins.map(({ host }) => host),
        (way) => once(loginsTo(logins, way)[0], [PROBE_SQL]),
      ),
    check: async (members) => [
      ...(await everyWay(logins)),
      ...(await locksAreFree(logins)),
      ...(await compare(place, members)),
      ...judge(log.entries, await tablesOf(place, members), initial),
    ],
    longestGap: (from, to) => longestGap(log.acknowledged, { from, to }),
    acknowledgedSince: (from) => log.acknowledged.filter((at) => at >= from).length,
    summary: () => ({
      acknowledged: log.count('ok'),
      refused: log.count('no'),
      unknown: log.count('unknown'),
    }),
    [Symbol.dispose]: () => log[Symbol.dispose](),
  }
}

/** Transfers through a balancer of the recipe haproxy, to members of the recipe galera. */
export const BANK: WorkloadKind = {
  stack: STACK,
  service: SERVICE,
  hasWriter: true,
  images: [
    { name: 'muster/mariadb:10.11', context: `${ROOT}images/mariadb` },
    { name: 'muster/haproxy:2.6', context: `${ROOT}images/haproxy` },
  ],
  compose,
  open,
}

const once = async (login: Login | undefined, statements: readonly string[]): Promise<void> => {
  if (login === undefined) throw new Error('no way to the database')
  using connection = await MysqlConnection.open(login)
  for (const statement of statements) await connection.query(statement)
}

/** Statements through whichever way works, tried for a quarter of a minute. */
const ask = async (logins: readonly Login[], statements: readonly string[]): Promise<void> => {
  const limit = Date.now() + 15_000
  for (let way = 0; ; way++) {
    try {
      return await once(logins[way % logins.length], statements)
    } catch (error) {
      if (Date.now() > limit) throw error
      await delay(500)
    }
  }
}

/** Some megabytes in place of those of the last time, as far as they are taken. */
const fill = async (logins: readonly Login[]): Promise<void> => {
  const limit = Date.now() + FILL_MS
  const statements = [
    'DELETE FROM filling',
    ...Array.from(
      { length: FILL_ROWS },
      () => 'INSERT INTO filling (data) VALUES (REPEAT(RANDOM_BYTES(1024), 1024))',
    ),
  ]
  for (let way = 0; Date.now() < limit && statements.length > 0; way++) {
    const login = logins[way % logins.length]
    if (login === undefined) return
    try {
      using connection = await MysqlConnection.open(login)
      for (;;) {
        const [statement] = statements
        if (statement === undefined) return
        await connection.query(statement)
        statements.shift()
      }
    } catch (error) {
      // The disk is full: that is what it was for. The next way may lead to another writer.
      if (!(error instanceof Error)) throw error
      await delay(500)
    }
  }
}

/** Every host's published port leads to the database. */
const everyWay = async (logins: readonly Login[]): Promise<Violation[]> => {
  const failed = await broken(
    logins.map(({ host }) => host),
    (way) => ask(loginsTo(logins, way), [PROBE_SQL]),
  )
  return failed.length === 0
    ? []
    : [{ what: 'a host does not lead to the database', evidence: failed.join('; ') }]
}

const loginsTo = (logins: readonly Login[], way: string): Login[] =>
  logins.filter(({ host }) => host === way)

/** No client that is gone still holds a lock. */
const locksAreFree = async (logins: readonly Login[]): Promise<Violation[]> => {
  try {
    await ask(logins, [
      'SET SESSION innodb_lock_wait_timeout=3',
      'BEGIN',
      'SELECT id FROM accounts ORDER BY id FOR UPDATE',
      'ROLLBACK',
    ])
    return []
  } catch (error) {
    return [{ what: 'locks of clients that are gone', evidence: messageOf(error) }]
  }
}

/** The members' own copies; what was under way in them when clients gave up may take a moment. */
const compare = async (place: WorkloadPlace, members: readonly Placed[]): Promise<Violation[]> => {
  let found: Violation[] = []
  for (let attempt = 0; attempt < 4; attempt++) {
    if (attempt > 0) await delay(2000)
    const sums = await Promise.all(
      members.map(async (each): Promise<[string, string]> => {
        const rows = await inside(place, each, `${client} -e "${ALL_SQL}" | sha256sum`)
        return [each.member, rows.trim().slice(0, 16)]
      }),
    )
    const standings = await Promise.all(
      members.map(async (each) => standingOf(each.member, await sql(place, each, STATUS))),
    )
    found = [...disagreements(new Map(sums)), ...oneComponent(standings)]
    if (found.length === 0) return []
    place.say(`    looking again: ${found.map(({ what }) => what).join('; ')}`)
  }
  return found
}

const standingOf = (member: string, rows: string[][]) => {
  const of = new Map(rows.map(([name = '', value = '']) => [name.toUpperCase(), value]))
  return {
    member,
    history: of.get('WSREP_CLUSTER_STATE_UUID') ?? '',
    component: of.get('WSREP_CLUSTER_CONF_ID') ?? '',
    size: Number(of.get('WSREP_CLUSTER_SIZE')),
    primary: of.get('WSREP_CLUSTER_STATUS') === 'Primary',
  }
}

const tablesOf = async (place: WorkloadPlace, members: readonly Placed[]): Promise<Tables> => {
  const [member] = members
  if (member === undefined) throw new Error('no member to look at')
  const accounts = await sql(place, member, ACCOUNTS_SQL)
  const transfers = await sql(place, member, TRANSFERS_SQL)
  return {
    accounts: new Map(accounts.map(([id, balance]) => [Number(id), Number(balance)])),
    transfers: transfers.map(([id, from, to, amount]) => ({
      id: Number(id),
      from: Number(from),
      to: Number(to),
      amount: Number(amount),
    })),
  }
}

const client =
  'mariadb --no-defaults --batch --skip-column-names --socket=/run/mysqld/mysqld.sock -uroot bank'

const sql = async (
  place: WorkloadPlace,
  member: Placed,
  statement: string,
): Promise<string[][]> => {
  const text = await inside(place, member, `${client} -e "${statement}"`)
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t')]))
}

/** A script in a member's container; an error if any part of it fails. */
const inside = async (
  { lab }: WorkloadPlace,
  { host, container, member }: Placed,
  script: string,
): Promise<string> => {
  const argv = ['docker', 'exec', container, 'bash', '-o', 'pipefail', '-c', script]
  const { exitCode, stdout, stderr } = await lab.lab.exec(host, argv)
  if (exitCode !== 0) throw new Error(`${member}: ${stderr || stdout}`)
  return stdout
}
