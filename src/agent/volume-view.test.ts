import { expect, it } from 'vitest'
import type { ContainerSummary } from '../engine/index.ts'
import { TASK_LABELS } from './local-container.ts'
import { volumeUsers } from './volume-view.ts'

const container = (
  State: NonNullable<ContainerSummary['State']>,
  Labels: Record<string, string> = {},
): ContainerSummary => ({
  Id: 'c1',
  Names: ['/by-hand'],
  State,
  Labels,
  Mounts: [{ Type: 'volume', Name: 'data' }],
})
const task = { [TASK_LABELS.task]: 't1', [TASK_LABELS.serviceName]: 'shop_web' }

it.each(['exited', 'removing', 'dead'] as const)(
  'an %s container of a task has no volume',
  (state) => {
    expect(volumeUsers([container(state, task)])).toEqual(new Map())
  },
)

it.each(['created', 'running', 'paused', 'restarting'] as const)('a %s one has', (state) => {
  expect(volumeUsers([container(state, task)])).toEqual(new Map([['data', ['shop_web']]]))
})

it('a container that a person has made has it as long as it is there', () => {
  expect(volumeUsers([container('exited')])).toEqual(new Map([['data', ['by-hand']]]))
})
