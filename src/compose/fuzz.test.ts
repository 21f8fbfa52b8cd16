/** No input crashes or hangs the loader; whatever it accepts, it prints so that it reads the same. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadStack } from './load.ts'
import type { ComposeError } from './model.ts'
import { renderErrors } from './render-errors.ts'
import { renderStack, toCanonical } from './render.ts'
import { serviceShape } from './shapes.ts'

const load = async (text: string) => {
  async function* stdin(): AsyncGenerator<string> {
    yield text
  }
  return loadStack({ files: ['-'], stdin: stdin(), env: { A: 'a' }, projectName: 'p', cwd: '/' })
}

const placed = (errors: readonly ComposeError[]): void => {
  expect(errors.length).toBeGreaterThan(0)
  for (const { message, location } of errors) {
    expect(message).not.toMatch(/undefined|\[object/)
    if (location) expect(location.line).toBeGreaterThan(0)
  }
  expect(renderErrors(errors)).toMatch(/\n$/)
}

const KEYS = serviceShape.is === 'object' ? Object.keys(serviceShape.fields) : []
const word = fc.constantFrom(
  'web',
  'db',
  'a',
  'x',
  'default',
  '80',
  '8080:80',
  './a:/b',
  'data:/data',
  'A=1',
  '${A}',
  '${B:-1}',
  '${C:?}',
  '$',
  'true',
  '1',
  '0',
  '-1',
  '10s',
  '64m',
  '',
  'all',
  'host',
  'service:db',
  'service_healthy',
  'constructor',
  'toString',
  '__proto__',
  'CMD',
  '!reset',
  'a:b:c:d',
  '0440',
  '1.5',
  'é\u2028',
  '"',
  "'",
)
const scalar = fc.oneof(word, fc.integer({ min: -5, max: 70_000 }), fc.boolean(), fc.constant(null))
const key = fc.oneof(
  fc.constantFrom(...KEYS),
  fc.constantFrom(
    'source',
    'target',
    'type',
    'path',
    'condition',
    'file',
    'service',
    'content',
    'external',
    'name',
    'x-a',
    'driver',
    'test',
    'resources',
    'limits',
    'memory',
    'published',
    'soft',
    'hard',
    'config',
    'subnet',
    'required',
    'replicas',
  ),
)
const anything = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  map: fc.dictionary(fc.oneof(key, word), tie('value'), { maxKeys: 4 }),
}))
const service = fc.dictionary(
  fc.oneof({ weight: 9, arbitrary: key }, { weight: 1, arbitrary: word }),
  anything.value,
  { maxKeys: 5 },
)
const project = fc.record(
  {
    services: fc.dictionary(
      fc.constantFrom('web', 'db', 'a', 'constructor', '__proto__'),
      service,
      { maxKeys: 3 },
    ),
    networks: anything.value,
    volumes: anything.value,
    configs: anything.value,
    secrets: anything.value,
    include: anything.value,
    'x-a': anything.value,
  },
  { requiredKeys: [] },
)

test('any text', async () => {
  const unit = fc.constantFrom(...'servicmag:x-[]{},&*!|>"\'#%@`\n\n  $?<~.01'.split(''))
  await fc.assert(
    fc.asyncProperty(fc.string({ unit, maxLength: 80 }), async (text) => {
      const { errors } = await load(text)
      if (errors) placed(errors)
    }),
    { numRuns: 300 },
  )
})

test('any bytes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
      const { errors } = await load(Buffer.from(bytes).toString('latin1'))
      if (errors) placed(errors)
    }),
    { numRuns: 100 },
  )
})

test('any project', async () => {
  await fc.assert(
    fc.asyncProperty(project, async (data) => {
      const { errors } = await load(JSON.stringify(data))
      if (errors) placed(errors)
    }),
    { numRuns: 400 },
  )
})

test('several documents over each other, with marks', async () => {
  const marked = fc.tuple(project, fc.constantFrom('!reset', '!override', ''), fc.nat(20))
  await fc.assert(
    fc.asyncProperty(fc.array(marked, { minLength: 2, maxLength: 3 }), async (documents) => {
      const texts = documents.map(([data, mark, nth]) => {
        let count = 0
        return JSON.stringify(data).replaceAll(/":/g, (colon) =>
          mark !== '' && count++ === nth ? `": ${mark} ` : `${colon} `,
        )
      })
      const { errors } = await load(texts.join('\n---\n'))
      if (errors) placed(errors)
    }),
    { numRuns: 200 },
  )
})

test('what is accepted is printed so that it loads to the same', async () => {
  const noVariable = fc.string().map((text) => text.replaceAll('$', '$$$$'))
  const simple = fc.record(
    {
      image: fc.constantFrom('x', 'nginx:1'),
      command: fc.oneof(fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }), fc.constant(null)),
      environment: fc.dictionary(
        fc.constantFrom('A', 'B-C', 'd'),
        fc.oneof(noVariable, fc.integer(), fc.boolean()),
      ),
      ports: fc.uniqueArray(
        fc.constantFrom('80', '8080:80', '127.0.0.1:1:2/udp', '1-2:3-4', '5-9:7'),
        { maxLength: 3 },
      ),
      tmpfs: fc.uniqueArray(fc.constantFrom('/t', '/u:mode=1'), { maxLength: 2 }),
      volumes: fc.uniqueArray(fc.constantFrom('/v', './w:/w:ro', 'data:/d'), { maxLength: 3 }),
      depends_on: fc.constantFrom([], ['db']),
      healthcheck: fc.constantFrom({ test: 'x', interval: '90s', retries: 0 }, { disable: true }),
      deploy: fc.constantFrom(
        { replicas: 0 },
        { resources: { limits: { cpus: '0.5', memory: '1.5g' } } },
      ),
      stop_grace_period: fc.constantFrom('1m30s', '0s'),
      labels: fc.dictionary(fc.constantFrom('a.b', 'c'), noVariable),
      ulimits: fc.constantFrom({ nofile: 5 }, { nofile: { soft: 1, hard: 2 } }),
      'x-y': anything.value,
    },
    { requiredKeys: ['image'] },
  )
  await fc.assert(
    fc.asyncProperty(simple, async (web) => {
      const data = { services: { web, db: { image: 'db' } }, volumes: { data: {} } }
      const first = await load(JSON.stringify(data))
      // A required variable that is not set, in `x-y`.
      if (first.errors) return
      const printed = renderStack(first.stack, 'yaml')
      const second = await load(printed)
      if (second.errors) throw new Error(renderErrors(second.errors) + printed)
      expect(toCanonical(second.stack, 'yaml')).toEqual(toCanonical(first.stack, 'yaml'))
    }),
    { numRuns: 150 },
  )
})
