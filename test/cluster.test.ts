import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Lab, labUp } from '../src/lab/index.ts'
import type { NodeRow } from '../src/cluster/index.ts'

describe('a cluster from init, join and leave', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await labUp({ name: 'cluster', hosts: 3 })
  })
  afterAll(async () => {
    await lab?.down()
  })

  const muster = (host: string, ...args: string[]) =>
    lab.exec(host, ['muster', ...args], { timeoutMs: 90_000 })
  const tokens = async () => {
    const { stdout } = await muster('host-1', 'token', '--format', 'json')
    return JSON.parse(stdout) as { manager: string; worker: string; address: string }
  }
  const nodes = async (host = 'host-1') => {
    const { stdout } = await muster(host, 'node', 'ls', '--format', 'json')
    return JSON.parse(stdout) as NodeRow[]
  }

  it('says what is wrong on a host that is in no cluster', async () => {
    const result = await muster('host-1', 'node', 'ls')
    expect(result.exitCode, result.stdout + result.stderr).toBe(1)
    expect(result.stderr).toMatch(/muster init/)
  })

  it('init makes the first manager, with failover settings; a second init has nothing to do', async () => {
    const first = await muster('host-1', 'init', '--heartbeat', '1500ms')
    expect(first.stderr).toBe('')
    expect(first.exitCode, first.stdout + first.stderr).toBe(0)
    expect(first.stdout).toMatch(/muster join 10\.\d+\.\d+\.11:2377 --token SWMTKN-1-/)
    const { stdout } = await lab.exec('host-1', [
      'docker',
      'info',
      '--format',
      '{{.Swarm.Cluster.Spec.Dispatcher.HeartbeatPeriod}}',
    ])
    expect(stdout.trim()).toBe('1.5s')
    const second = await muster('host-1', 'init')
    expect(second.exitCode, second.stdout + second.stderr).toBe(0)
    expect(second.stdout).toMatch(/nothing to do/)
  })

  it('refuses what is not a token, and gives up on an address that does not answer', async () => {
    const bad = await muster('host-2', 'join', lab.address('host-1'), '--token', 'secret')
    expect(bad.exitCode, bad.stdout + bad.stderr).toBe(2)
    const { worker } = await tokens()
    const nowhere = await muster('host-2', 'join', lab.address('host-3'), '--token', worker)
    expect(nowhere.exitCode, nowhere.stdout + nowhere.stderr).toBe(1)
    expect(nowhere.stderr).toMatch(/error: /)
  })

  it('join adds managers and workers; doing it again changes nothing', async () => {
    const { manager, worker, address } = await tokens()
    expect((await muster('host-2', 'join', address, '--token', manager)).stdout).toMatch(
      /as a manager/,
    )
    expect((await muster('host-3', 'join', address, '--token', worker)).stdout).toMatch(
      /as a worker/,
    )
    expect((await muster('host-3', 'join', address, '--token', worker)).stdout).toMatch(
      /nothing to do/,
    )
    expect((await nodes('host-2')).map((row) => [row.name, row.role])).toEqual([
      ['host-1', 'leader'],
      ['host-2', 'manager'],
      ['host-3', 'worker'],
    ])
  })

  it('tells a worker where to ask', async () => {
    const result = await muster('host-3', 'node', 'ls')
    expect(result.exitCode, result.stdout + result.stderr).toBe(1)
    expect(result.stderr).toMatch(/manager/)
  })

  it('labels a host, and shows which hosts there are when a name is wrong', async () => {
    await muster('host-1', 'node', 'label', 'host-3', 'disk=ssd', 'zone=a')
    const { stdout } = await muster('host-1', 'node', 'label', 'host-3', 'zone-')
    expect(stdout.trim()).toBe('disk=ssd')
    const wrong = await muster('host-1', 'node', 'label', 'host-9', 'a=b')
    expect(wrong.exitCode, wrong.stdout + wrong.stderr).toBe(2)
    expect(wrong.stderr).toMatch(/host-1, host-2, host-3|There are/)
  })

  it('drains a host and activates it again', async () => {
    expect((await muster('host-1', 'node', 'drain', 'host-3')).stdout).toMatch(/is drained/)
    expect((await nodes()).find((row) => row.name === 'host-3')?.availability).toBe('drain')
    await muster('host-1', 'node', 'activate', 'host-3')
    expect((await nodes()).find((row) => row.name === 'host-3')?.availability).toBe('active')
  })

  it('a worker leaves and is forgotten', async () => {
    expect((await muster('host-3', 'leave')).stdout).toMatch(/left its cluster/)
    const removed = await muster('host-1', 'node', 'rm', '--force', 'host-3')
    expect(removed.stderr).toBe('')
    expect((await nodes()).map((row) => row.name)).toEqual(['host-1', 'host-2'])
  })

  it('a manager steps down before it leaves, so that the rest keeps its quorum', async () => {
    const left = await muster('host-2', 'leave')
    expect(left.stderr).toBe('')
    expect(left.exitCode, left.stdout + left.stderr).toBe(0)
    expect((await muster('host-1', 'node', 'rm', '--force', 'host-2')).exitCode).toBe(0)
    expect((await nodes()).map((row) => row.name)).toEqual(['host-1'])
  })

  it('the last manager is asked to be sure', async () => {
    const refused = await muster('host-1', 'leave')
    expect(refused.exitCode, refused.stdout + refused.stderr).toBe(1)
    expect(refused.stderr).toMatch(/--force/)
    expect((await muster('host-1', 'leave', '--force')).exitCode).toBe(0)
  })
})
