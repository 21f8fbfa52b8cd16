import { expect, it } from 'vitest'
import type { Service, Task } from '../engine/index.ts'
import { diagnose } from './diagnose.ts'

const service = (replicas: number): Service => ({
  ID: 'web',
  Version: { Index: 1 },
  Spec: { Name: 'shop_web', Mode: { Replicated: { Replicas: replicas } } },
})

const task = (id: string, slot: number, change: Partial<Task>): Task => ({
  ID: id,
  Version: { Index: 1 },
  ServiceID: 'web',
  Slot: slot,
  NodeID: 'node',
  ...change,
})

const running = task('a', 1, { DesiredState: 'running', Status: { State: 'running' } })
const lost = task('b', 2, {
  DesiredState: 'shutdown',
  Status: { State: 'failed', Err: 'task: non-zero exit (255)', ContainerStatus: { ExitCode: 255 } },
})

const scene = (replicas: number) => ({
  service: service(replicas),
  tasks: [running, lost],
  nodes: [],
  now: 0,
})

it('a replica that failed and is still wanted is what is wrong', () => {
  expect(diagnose(scene(2))?.sentence).toMatch(/web\.2/)
})

it('a replica that failed before it was scaled away says nothing', () => {
  expect(diagnose(scene(1))).toBeUndefined()
})
