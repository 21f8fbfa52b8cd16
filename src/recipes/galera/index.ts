import { z } from 'zod'
import { checkOptions } from '../options.ts'
import type { Recipe } from '../recipe.ts'
import { readRecovered, RECOVER_SCRIPT } from './recover.ts'
import { ask, readAnswer, SESSION_SCRIPT, shell, statement } from './session.ts'
import { GONE_CLIENTS, renderSettings } from './settings.ts'
import { DATA, FORMING, renderStart, SEED } from './start.ts'

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
})

const optionsOf = (given: Record<string, unknown>) => checkOptions(optionsSchema, given)

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
    const options = optionsOf(situation.options)
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
