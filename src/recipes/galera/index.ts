import { z } from 'zod'
import { MusterError } from '../../base/index.ts'
import { checkOptions } from '../options.ts'
import type { Recipe } from '../recipe.ts'
import { readRecovered, RECOVER_SCRIPT } from './recover.ts'
import { ask, readAnswer, SESSION_SCRIPT, shell, statement } from './session.ts'
import { GONE_CLIENTS, renderSettings } from './settings.ts'
import { DATA, FORMING, GALERA_PORT, renderStart, SEED } from './start.ts'

/** `10.0.0.5`, `db.example.com:4567`. */
const address = z
  .string()
  .regex(
    /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?$/,
    'expected an address, or ADDRESS:PORT',
  )

const optionsSchema = z.strictObject({
  /** Traffic between members is encrypted, and only members of this cluster get in. */
  tls: z.boolean().default(false),
  /** Options of the Galera provider, e.g. `gcache.size: 2G`. */
  provider: z
    .record(
      z.string().regex(/^[a-z_]+(\.[a-z_]+)+$/, 'expected an option like gcache.size'),
      z
        .union([z.string(), z.number(), z.boolean()])
        .transform(String)
        .pipe(z.string().regex(/^[A-Za-z0-9_./:-]+$/, 'expected a word or number')),
    )
    .default({}),
  /** What the cluster is called (wsrep_cluster_name); default a name that no other cluster has. */
  cluster: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,32}$/, 'expected a name of at most 32 characters')
    .optional(),
  /** Members that Muster does not run: the cluster exists, and is joined. */
  members: z.array(address).max(100).optional(),
  /** Members that Muster does not run may join: its own can be reached from outside. */
  reachable: z.boolean().optional(),
})

type Options = z.infer<typeof optionsSchema>

/** Of the environment that other images for Galera are told these by. */
const fromEnvironment = (environment: ReadonlyMap<string, string>): Record<string, unknown> => {
  const members = (environment.get('CLUSTER_MEMBERS') ?? '').split(/[\s,]+/).filter(Boolean)
  if (members.length === 0) return {}
  const cluster = environment.get('CLUSTER')
  return { members, ...(cluster === undefined ? {} : { cluster }) }
}

const optionsOf = (
  given: Record<string, unknown>,
  environment: ReadonlyMap<string, string> = new Map(),
): Options => {
  const options = checkOptions(optionsSchema, { ...fromEnvironment(environment), ...given })
  const outside = isOutside(options)
  const refuse = (message: string, hint: string) =>
    new MusterError('STACK_REFUSED', message, { hint })
  if ((options.members ?? []).length > 0 && options.cluster === undefined) {
    throw refuse(
      'members: what their cluster is called is missing.',
      'Add cluster: NAME; SHOW VARIABLES LIKE "wsrep_cluster_name" says it there.',
    )
  }
  if (outside && options.tls) {
    throw refuse(
      'tls: members outside have no certificate of this cluster.',
      'Leave tls out, or keep the traffic to them on a network of its own.',
    )
  }
  return options
}

const isOutside = ({ members, reachable }: Options): boolean =>
  reachable === true || (members ?? []).length > 0

/** Group communication, and who sends state to a member: what it missed, or everything. */
const OUTSIDE_PORTS = [GALERA_PORT, 4568, 4444]

/** MariaDB with Galera: every member has all the data, one takes the writes. */
export const galera: Recipe = {
  name: 'galera',
  images: ['mariadb', 'library/mariadb', 'muster/mariadb'],
  topology: {
    minimum: 1,
    usual: 3,
    forms: 'one',
    recovers: 'elect',
    writer: true,
    joinsOneByOne: true,
  },
  data: DATA,
  secrets: [{ name: SEED, bytes: 32 }],
  options: optionsOf,
  outside: (given) => {
    const options = optionsOf(given)
    return isOutside(options) ? { members: options.members ?? [], ports: OUTSIDE_PORTS } : null
  },
  container: () => ({
    entrypoint: ['sh', '/muster/start'],
    command: null,
    env: {},
    user: '0',
    stopGraceMs: 120_000,
    stopSignal: 'SIGTERM',
    sysctls: GONE_CLIENTS.unanswered,
  }),
  holdsData: (names) =>
    !names.includes(FORMING) && names.some((name) => ['mysql', 'ibdata1', '.sst'].includes(name)),
  recover: { command: ['sh', '-c', RECOVER_SCRIPT], timeoutMs: 600_000, read: readRecovered },
  render: (situation) => {
    const { tls, provider, cluster, ...rest } = optionsOf(situation.options)
    const outside = isOutside({ tls, provider, cluster, ...rest })
    const options = { tls, provider, cluster, outside, members: rest.members ?? [] }
    return [
      { path: 'my.cnf', content: renderSettings(situation, options) },
      { path: 'start', content: renderStart(situation, options), mode: 0o755 },
      { path: 'recover', content: RECOVER_SCRIPT, mode: 0o755 },
      { path: 'session', content: SESSION_SCRIPT, mode: 0o755 },
    ]
  },
  session: {
    command: ['sh', '/muster/session'],
    ask,
    read: readAnswer,
    everyMs: 500,
    timeoutMs: 1500,
  },
  verbs: {
    promote: () => statement(`SET GLOBAL wsrep_provider_options='pc.bootstrap=true'`),
    writable: (on) => statement(`SET GLOBAL read_only=${on ? 'OFF' : 'ON'}`),
    shell,
  },
  ports: [{ port: 3306, to: 'writer' }],
}
