import { describe, expect, test } from 'vitest'
import { canonicalSpec, sameCanonical } from './canonical.ts'
import type { SwarmServiceSpec } from './desired.ts'
import { diffSpecs, type SpecDiff } from './diff.ts'
import { settledFrom } from './fixtures.ts'

const NO_NAMES = { networks: new Map<string, string>() }

const specOf = async (yaml: string): Promise<SwarmServiceSpec> => {
  const { services } = await settledFrom(`volumes: { data: {} }
services:
  web:
${yaml
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}`)
  const spec = services[0]?.spec
  if (spec === undefined) throw new Error('no service')
  return spec
}

const diff = async (before: string, after: string): Promise<SpecDiff> =>
  diffSpecs(
    canonicalSpec(await specOf(before), NO_NAMES),
    canonicalSpec(await specOf(after), NO_NAMES),
  )

describe('a change in the words of the file', () => {
  test.each([
    ['image: web:1', 'image: web:2', ['image web:1 -> web:2']],
    ['image: w', 'image: w\ndeploy: { replicas: 4 }', ['deploy.replicas 1 -> 4']],
    [
      'image: w\nenvironment: { LEVEL: info, OLD: "1", DB_PASSWORD: a }',
      'image: w\nenvironment: { LEVEL: debug, NEW: x, DB_PASSWORD: b }',
      [
        'environment DB_PASSWORD changed',
        'environment LEVEL info -> debug',
        'environment - OLD',
        'environment + NEW=x',
      ],
    ],
    [
      'image: w\nports: ["80:1"]',
      'image: w\nports: ["81:1"]',
      ['ports - 80 -> 1', 'ports + 81 -> 1'],
    ],
    ['image: w', 'image: w\nvolumes: ["data:/d"]', ['volumes + shop_data:/d']],
    [
      'image: w\nstop_grace_period: 5s',
      'image: w\nstop_grace_period: 2m',
      ['stop_grace_period 5s -> 2m'],
    ],
    ['image: w', 'image: w\nmem_limit: 64m', ['deploy.resources.limits.memory (none) -> 64M']],
    ['image: w\ncommand: a b', 'image: w\ncommand: a c', ['command a b -> a c']],
  ])('%j', async (before, after, changes) => {
    const found = (await diff(before, after)).changes
    // Writing to a volume changes the order of updates too; that is another line.
    expect(found.filter((line) => !/_config/.test(line))).toEqual(changes)
  })

  test('what restarts tasks and what does not', async () => {
    expect(await diff('image: w', 'image: w\ndeploy: { replicas: 2 }')).toMatchObject({
      replacesTasks: false,
      recreates: false,
    })
    expect(await diff('image: w', 'image: w\nports: ["80:1"]')).toMatchObject({
      replacesTasks: false,
    })
    expect(await diff('image: w', 'image: w\nports: ["80:1/udp"]')).toMatchObject({
      replacesTasks: true,
    })
    expect(await diff('image: w', 'image: x')).toMatchObject({ replacesTasks: true })
    expect(
      await diff(
        'image: w',
        'image: w\ndeploy: { placement: { constraints: [node.role==worker] } }',
      ),
    ).toMatchObject({ replacesTasks: false, movesTasks: true })
    expect(await diff('image: w', 'image: w\ndeploy: { mode: global }')).toMatchObject({
      recreates: true,
    })
  })
})

describe('the canonical form', () => {
  test('is the same for what is posted and what the engine gives back', async () => {
    const spec = await specOf(
      'image: web:1\nenvironment: { A: "" }\ninit: false\nhealthcheck: { test: [CMD, "true"] }',
    )
    const returned = structuredClone(spec) as unknown as {
      TaskTemplate: {
        Runtime?: string
        ForceUpdate?: number
        ContainerSpec: Record<string, unknown>
        Networks: { Target: string }[]
        RestartPolicy: Record<string, unknown>
        Placement: object
      }
      EndpointSpec: Record<string, unknown>
    }
    returned.TaskTemplate.Runtime = 'container'
    returned.TaskTemplate.ForceUpdate = 3
    returned.TaskTemplate.ContainerSpec.Isolation = 'default'
    returned.TaskTemplate.ContainerSpec.DNSConfig = {}
    returned.TaskTemplate.RestartPolicy.MaxAttempts = 0
    returned.TaskTemplate.Networks = [{ ...returned.TaskTemplate.Networks[0], Target: 'n1' }]
    returned.EndpointSpec.Mode = 'vip'
    const theirs = canonicalSpec(returned as unknown as SwarmServiceSpec, {
      networks: new Map([['n1', 'shop_default']]),
    })
    expect(sameCanonical(theirs, canonicalSpec(spec, NO_NAMES))).toBe(true)
  })

  test('keeps what means something though it is empty', async () => {
    const spec = await specOf('image: w\ninit: false\ndeploy: { replicas: 0 }')
    expect(canonicalSpec(spec, NO_NAMES)).toMatchObject({
      Mode: { Kind: 'replicated', Replicas: 0 },
      TaskTemplate: { ContainerSpec: { Init: false } },
    })
  })

  test('a service that is held back counts as what it will be', async () => {
    const spec = await specOf('image: w\ndeploy: { replicas: 3 }')
    const held = {
      ...spec,
      Labels: { ...spec.Labels, 'muster.after': '[]', 'muster.replicas': '3' },
      Mode: { Replicated: { Replicas: 0 } },
    }
    expect(sameCanonical(canonicalSpec(held, NO_NAMES), canonicalSpec(spec, NO_NAMES))).toBe(true)
  })
})
