/** On the engine's double: the host of Swarm's leader is lost, and others have its tasks soon. */
import { expect, test } from 'vitest'
import type { HostState } from '../catalog/index.ts'
import { createDoubleSwarm } from '../engine/double/index.ts'
import type { Node } from '../engine/index.ts'
import { LOST_CONSTRAINT, lostHostsLoop, lostLabel } from './lost-hosts.ts'

const node = (State: 'unknown' | 'ready' | 'down', labelled: boolean): Node => ({
  ID: 'n',
  Version: { Index: 1 },
  Spec: { Labels: labelled ? { 'muster.lost': 'true' } : {} },
  Status: { State },
})

test.each<['unknown' | 'ready' | 'down', HostState | undefined, boolean, 'set' | 'clear' | null]>([
  ['unknown', 'suspected', false, 'set'],
  ['unknown', 'suspected', true, null],
  ['unknown', 'alive', false, null],
  ['unknown', 'agentless', false, null],
  ['unknown', undefined, false, null],
  ['unknown', 'alive', true, 'clear'],
  ['ready', 'suspected', false, null],
  ['ready', 'suspected', true, 'clear'],
  ['down', 'suspected', false, null],
  ['down', 'suspected', true, 'clear'],
])('Swarm says %s, the agents say %s, labelled %s: %s', (...[state, sight, labelled, change]) => {
  expect(lostLabel(node(state, labelled), sight)).toBe(change)
})

/** Milliseconds from the new leader on until six replicas run on the hosts that are left. */
const replacedAfter = async (helped: boolean, unknownMs = 0): Promise<number> => {
  await using swarm = await createDoubleSwarm({
    hosts: ['m1', 'm2', 'm3'],
    seed: 7,
    timing: { unknownMs },
  })
  await swarm.engine('m1').createService({
    Name: 'web',
    Mode: { Replicated: { Replicas: 6 } },
    TaskTemplate: {
      ContainerSpec: { Image: 'web:1' },
      RestartPolicy: { Delay: 500_000_000 },
      Placement: { Constraints: [LOST_CONSTRAINT] },
    },
  })
  const lost = swarm.leader() ?? ''
  const other = swarm.engine(lost === 'm2' ? 'm3' : 'm2')
  const running = async (host?: string): Promise<boolean> => {
    const nodes = await other.listNodes()
    const gone = nodes.find((each) => each.Description?.Hostname === host)?.ID
    const tasks = await other.listTasks({ 'desired-state': ['running'] })
    return (
      tasks.filter((each) => each.Status?.State === 'running' && each.NodeID !== gone).length === 6
    )
  }
  await swarm.until(() => running(), 60_000)
  swarm.loseHost(lost)
  await swarm.until(() => ![undefined, lost].includes(swarm.leader()), 60_000)
  const elected = swarm.clock.now()
  const leader = swarm.engine(swarm.leader() ?? '')
  const lostId = (await leader.listNodes()).find((each) => each.Description?.Hostname === lost)?.ID
  const stop = new AbortController()
  const over = helped
    ? lostHostsLoop({
        engine: leader,
        sight: (id) => (id === lostId ? 'suspected' : 'alive'),
        clock: swarm.clock,
        onLost: () => undefined,
        onProblem: (problem) => expect.fail(problem),
      }).start(stop.signal)
    : Promise.resolve()
  await swarm.until(() => running(lost), 60_000)
  const took = swarm.clock.now() - elected
  let ended = false
  void over.then(() => (ended = true))
  await swarm.until(() => !helped || ended, 60_000)
  stop.abort()
  for (const each of await leader.listNodes()) expect(each.Spec.Labels ?? {}).toEqual({})
  return took
}

test('a host that was lost with the leader is not waited for, and keeps no label', async () => {
  const [alone, helped] = [await replacedAfter(false), await replacedAfter(true)]
  expect(helped).toBeLessThan(3000)
  expect(alone).toBeGreaterThan(helped + 4000)
})

test('a leader that is slow to call its hosts unknown is looked at for longer', async () => {
  expect(await replacedAfter(true, 2000)).toBeLessThan(5000)
})
