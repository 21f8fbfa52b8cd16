import type { Recipe } from '../recipe.ts'
import { knownOptions, optionsOf } from './options.ts'
import { readRecovered, RECOVER_SCRIPT } from './recover.ts'
import { ask, readAnswer, SESSION_SCRIPT } from './session.ts'
import { DATA } from './paths.ts'
import { snapshots } from './snapshots.ts'
import { removeMember, renderStart } from './start.ts'

/** etcd: members vote, whoever has the majority goes on. */
export const etcd: Recipe = {
  name: 'etcd',
  images: ['etcd', 'muster/etcd'],
  topology: {
    minimum: 1,
    usual: 3,
    forms: 'all',
    recovers: 'itself',
    writer: false,
    joinsOneByOne: true,
  },
  data: DATA,
  secrets: [],
  options: (given, environment) => ({ ...optionsOf(given, environment) }),
  founders: (options) => knownOptions(options).servers,
  container: () => ({
    entrypoint: ['sh', '/muster/start'],
    command: null,
    env: {},
    user: '0',
    stopGraceMs: 30_000,
    stopSignal: 'SIGTERM',
  }),
  holdsData: (names) => names.includes('member'),
  recover: { command: ['sh', '-c', RECOVER_SCRIPT], timeoutMs: 120_000, read: readRecovered },
  snapshots,
  render: (situation) => [
    {
      path: 'start',
      content: renderStart(situation, knownOptions(situation.options)),
      mode: 0o755,
    },
    { path: 'session', content: SESSION_SCRIPT, mode: 0o755 },
  ],
  session: {
    command: ['sh', '/muster/session'],
    ask,
    read: readAnswer,
    everyMs: 1000,
    timeoutMs: 4000,
  },
  verbs: { remove: removeMember },
  ports: [{ port: 2379, to: 'any' }],
}
