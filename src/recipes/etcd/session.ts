import type { MemberRole } from '../../catalog/index.ts'
import type { Answer } from '../recipe.ts'

/**
 * Answers each line that it is given; the line's last word ends the answer. The member's own status
 * first, then a read that the leader confirms.
 */
export const SESSION_SCRIPT = `#!/bin/sh
set -u
ctl() { etcdctl --endpoints=http://127.0.0.1:2379 --dial-timeout=500ms --command-timeout=1s "$@" 2>/dev/null; }
while read -r line; do
  if ctl endpoint status --write-out=fields; then
    echo "members: $(ctl member list | wc -l)"
    ctl endpoint health >/dev/null 2>&1 && echo 'causal: yes'
  else
    echo 'starting: yes'
  fi
  echo "\${line##* }"
done
`

export const ask = (mark: string): string => `ask ${mark}\n`

const NUMBER = /^\d{1,20}$/

/** Reads an answer, as far as it has come. */
export const readAnswer = (text: string): Answer | null => {
  const said = new Map<string, string>()
  for (const line of text.split('\n')) {
    // `"ClusterID" : 123`, or ours: `causal: yes`.
    const [, key, value] = /^"?(\w+)"? ?: "?([^"]*)"?\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) said.set(key, value.trim())
  }
  if (said.has('starting')) return answerOf('outside', { doing: 'starting' })
  const cluster = said.get('ClusterID') ?? ''
  const index = said.get('RaftIndex') ?? ''
  const leader = said.get('Leader') ?? ''
  if (![cluster, index, leader].every((each) => NUMBER.test(each))) return null
  const history = BigInt(cluster).toString(16)
  const learner = said.get('IsLearner') === 'true'
  const role: MemberRole = BigInt(leader) === 0n ? 'outside' : learner ? 'joining' : 'ready'
  const size = said.get('members') ?? ''
  return answerOf(role, {
    position: { history, sequence: index },
    component: role === 'outside' ? null : history,
    size: role !== 'outside' && /^\d{1,4}$/.test(size) ? Number(size) : 0,
    leads: said.get('MemberID') === leader,
    causal: role === 'ready' && said.get('causal') === 'yes',
    doing: role === 'joining' ? 'catching up' : null,
  })
}

const answerOf = (
  role: MemberRole,
  over: Partial<Omit<Answer, 'status'> & Answer['status']>,
): Answer => ({
  status: {
    role,
    size: over.size ?? 0,
    component: over.component ?? null,
    leads: over.leads ?? null,
  },
  position: over.position ?? null,
  causal: over.causal ?? false,
  stuck: null,
  doing: over.doing ?? null,
})
