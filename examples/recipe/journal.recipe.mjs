/**
 * A recipe for the journal of image/journal: what Muster has to know so that copies of it form a
 * cluster and heal. It travels with the Compose file that names it. docs/recipes.md explains each part.
 *
 * @import { Recipe } from '../../src/recipes/recipe.ts'
 */

/** Everything that a member is started with is written into its run folder: /muster. */
const start = ({ self, peers, start }) => `#!/bin/sh
# ${self}: ${start.kind}
set -eu
cd /data
case ${start.kind} in
  form)
    cat /proc/sys/kernel/random/uuid >history
    touch lines
    rm -f follows
    ;;
  first) rm -f follows ;;
  join) touch follows lines ;;
esac
# The history comes last: with it the folder counts as data.
until [ -s history ]; do
  for host in ${names(peers)}; do
    [ -s history ] || journal ask "$host" status | cut -d ' ' -f 1 >history
  done
done
exec journal serve ${names(peers)}
`

/** One line in, the member's state out, again and again: a program that stays. */
const session = ({ peers }) => `#!/bin/sh
while read -r line; do
  echo "own $(journal ask 127.0.0.1 status)"
  for host in ${names(peers)}; do echo "peer $(journal ask "$host" status)" & done
  wait
  # A second look at itself: by now it must have what the leader had.
  echo "then $(journal ask 127.0.0.1 status)"
  echo "\${line##* }"
done
`

const names = (peers) => peers.map(({ name }) => name).join(' ')

/** `HISTORY COUNT leads|follows` */
const STATUS = /^(own|peer|then) ([0-9a-f-]{36}) (\d+) (leads|follows)$/

/** @type {Recipe} */
export default {
  name: 'journal',
  images: ['recipe/journal'],
  topology: {
    minimum: 1,
    usual: 3,
    forms: 'one',
    recovers: 'elect',
    writer: true,
    joinsOneByOne: true,
  },
  data: '/data',
  secrets: [],
  options: (given) => given,
  container: () => ({
    entrypoint: ['sh', '/muster/start'],
    command: null,
    env: {},
    user: '0',
    stopGraceMs: 10_000,
    stopSignal: null,
  }),
  holdsData: (names) => names.includes('history'),
  recover: {
    command: ['sh', '-c', 'cat /data/history && wc -l </data/lines'],
    timeoutMs: 10_000,
    read: ({ exit, stdout }) => {
      const [history, sequence] = stdout.trim().split('\n')
      if (exit !== 0 || !history || !sequence) return null
      return { position: { history, sequence }, clean: false, damaged: null }
    },
  },
  render: (situation) => [
    { path: 'start', content: start(situation) },
    { path: 'session', content: session(situation) },
  ],
  session: {
    command: ['sh', '/muster/session'],
    ask: (mark) => `ask ${mark}\n`,
    read: (answer) => {
      const said = answer.split('\n').flatMap((line) => {
        const [, who, history, count, role] = STATUS.exec(line) ?? []
        return who ? [{ who, history, count: Number(count), role }] : []
      })
      const own = said.find(({ who }) => who === 'own')
      const then = said.find(({ who }) => who === 'then')
      if (!own || !then) return null
      const peers = said.filter(({ who, history }) => who === 'peer' && history === own.history)
      const leader = own.role === 'leads' ? own : peers.find(({ role }) => role === 'leads')
      const caughtUp = leader !== undefined && then.count >= leader.count
      return {
        status: {
          role: leader === undefined ? 'outside' : caughtUp ? 'ready' : 'joining',
          size: leader === undefined ? 0 : peers.length + 1,
          component: leader === undefined ? null : own.history,
          leads: null,
        },
        position: { history: own.history, sequence: String(then.count) },
        causal: caughtUp,
        stuck: null,
        doing: null,
      }
    },
    everyMs: 1000,
    timeoutMs: 4000,
  },
  verbs: {
    promote: () => ['rm', '-f', '/data/follows'],
    writable: (on) => (on ? ['rm', '-f', '/data/follows'] : ['touch', '/data/follows']),
  },
  ports: [{ port: 7000, to: 'writer' }],
}
