import { expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import type { ServiceSpec, Task } from '../engine/index.ts'
import {
  type Condition,
  type DependencyState,
  HOLD_CONSTRAINT,
  dependenciesOf,
  released,
  waitsFor,
} from './dependencies.ts'

type TaskWords = [state: string, desired: string, over?: object]

const state = (
  spec: Partial<ServiceSpec>,
  tasks: TaskWords[],
  runningEndpoints = 0,
): DependencyState => ({
  service: {
    ID: 'db',
    Version: { Index: 1 },
    Spec: { Name: 'shop_db', Mode: { Replicated: { Replicas: 1 } }, ...spec },
  },
  tasks: tasks.map(([State, DesiredState, over], i): Task => ({
    ID: `t${i}`,
    Version: { Index: 1 },
    ServiceID: 'db',
    Slot: i + 1,
    Status: { State: State as 'running' },
    DesiredState: DesiredState as 'running',
    ...over,
  })),
  runningEndpoints,
})
const job = { Mode: { ReplicatedJob: { MaxConcurrent: 2, TotalCompletions: 2 } } }

test.each<[string, Condition, boolean, DependencyState | undefined, boolean]>([
  ['runs', 'service_started', true, state({}, [['running', 'running']]), true],
  ['is being pulled', 'service_started', true, state({}, [['preparing', 'running']]), false],
  [
    'runs, its health check pending',
    'service_started',
    true,
    state({}, [['starting', 'running']], 1),
    true,
  ],
  [
    'runs, its health check pending',
    'service_healthy',
    true,
    state({}, [['starting', 'running']], 1),
    false,
  ],
  ['runs and is healthy', 'service_healthy', true, state({}, [['running', 'running']]), true],
  [
    'runs, but is being stopped',
    'service_healthy',
    true,
    state({}, [['running', 'shutdown']]),
    false,
  ],
  [
    'was scaled to nothing',
    'service_started',
    true,
    state({ Mode: { Replicated: { Replicas: 0 } } }, []),
    true,
  ],
  [
    'was scaled to nothing',
    'service_healthy',
    true,
    state({ Mode: { Replicated: { Replicas: 0 } } }, []),
    false,
  ],
  [
    'waits itself',
    'service_started',
    true,
    state({ Labels: { [LABEL.after]: '[]' }, Mode: { Replicated: { Replicas: 0 } } }, []),
    false,
  ],
  ['does not exist', 'service_started', true, undefined, false],
  ['does not exist, and need not', 'service_started', false, undefined, true],
  [
    'still works',
    'service_completed_successfully',
    true,
    state({}, [['running', 'running']]),
    false,
  ],
  [
    'has ended well',
    'service_completed_successfully',
    true,
    state({}, [['complete', 'shutdown']]),
    true,
  ],
  [
    'has ended well before it was asked',
    'service_started',
    true,
    state({}, [['complete', 'shutdown']]),
    true,
  ],
  [
    'has failed',
    'service_completed_successfully',
    true,
    state({}, [['failed', 'shutdown']]),
    false,
  ],
  [
    'has failed, and need not',
    'service_completed_successfully',
    false,
    state({}, [['failed', 'shutdown']]),
    true,
  ],
  [
    'is a job that is half done',
    'service_completed_successfully',
    true,
    state(job, [
      ['complete', 'complete'],
      ['running', 'complete'],
    ]),
    false,
  ],
  [
    'is a job that is done',
    'service_completed_successfully',
    true,
    state(job, [
      ['complete', 'complete'],
      ['complete', 'complete'],
    ]),
    true,
  ],
  [
    'has one of two replicas done',
    'service_completed_successfully',
    true,
    state({ Mode: { Replicated: { Replicas: 2 } } }, [['complete', 'shutdown']]),
    false,
  ],
])('a dependency that %s: %s', (...[, condition, required, dependency, holds]) => {
  const reason = waitsFor({ service: 'shop_db', condition, required }, dependency)
  expect(reason === null).toBe(holds)
})

test('completions of an earlier run of a job do not count', () => {
  const again = state(job, [
    ['complete', 'complete', { JobIteration: { Index: 1 } }],
    ['complete', 'complete', { JobIteration: { Index: 2 } }],
  ])
  again.service.JobStatus = { JobIteration: { Index: 2 } }
  expect(
    waitsFor(
      { service: 'shop_db', condition: 'service_completed_successfully', required: true },
      again,
    ),
  ).not.toBeNull()
})

test('a released service has its replicas, its place, and nothing of the waiting', () => {
  const labels = { [LABEL.after]: '[]', [LABEL.replicas]: '3', keep: 'me' }
  expect(
    released({
      Name: 'web',
      Labels: labels,
      Mode: { Replicated: { Replicas: 0 } },
      TaskTemplate: {
        Placement: { Constraints: [HOLD_CONSTRAINT, 'node.role==worker'], MaxReplicas: 1 },
      },
    }),
  ).toEqual({
    Name: 'web',
    Labels: { keep: 'me' },
    Mode: { Replicated: { Replicas: 3 } },
    TaskTemplate: { Placement: { Constraints: ['node.role==worker'], MaxReplicas: 1 } },
  })
  expect(
    released({
      Name: 'job',
      Labels: labels,
      Mode: { ReplicatedJob: { MaxConcurrent: 0, TotalCompletions: 0 } },
    }).Mode,
  ).toEqual({
    ReplicatedJob: { MaxConcurrent: 3, TotalCompletions: 3 },
  })
  expect(released({ Name: 'all', Labels: { [LABEL.after]: '[]' }, Mode: { Global: {} } })).toEqual({
    Name: 'all',
    Labels: {},
    Mode: { Global: {} },
  })
})

test.each([
  'not JSON',
  '{}',
  '[{"service":"a b","condition":"service_started"}]',
  '[{"service":"a","condition":"soon"}]',
])('a label that is wrong releases nothing: %s', (label) => {
  expect(() => dependenciesOf({ Name: 'web', Labels: { [LABEL.after]: label } })).toThrow()
})
