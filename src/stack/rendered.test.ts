import { expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import { stackFrom } from './fixtures.ts'
import { toDesired } from './specs.ts'

const made = async (text: string) =>
  toDesired(await stackFrom(`services:\n  lb:\n${text.replace(/^/gm, '    ')}`), {
    api: '1.41',
    restartDelayMs: 1000,
    contents: new Map(),
  })

const container = async (text: string) => {
  const result = await made(text)
  const service = 'desired' in result ? result.desired.services[0] : undefined
  if (!service) throw new Error(JSON.stringify(result.problems))
  return { name: service.name, ...service.spec.TaskTemplate.ContainerSpec }
}

test('a balancer gets a folder for its files, and what is to be in it', async () => {
  const given = await container(
    'image: team.example/haproxy:2.6\nenvironment: {SERVICE_NAME: db, SERVICE_PORTS: "3306, 4008"}',
  )
  expect(JSON.parse(given.Labels?.[LABEL.files] ?? '')).toEqual({
    recipe: 'haproxy',
    options: { service: 'db', ports: [3306, 4008] },
  })
  expect(given.Command).toEqual(['sh', '/muster/start'])
  expect(given.Mounts).toEqual([
    expect.objectContaining({ Source: `${given.name}.run`, Target: '/muster', ReadOnly: true }),
  ])
})

test('an image of the same name without the variables is left alone', async () => {
  const given = await container('image: haproxy:2.6')
  expect(given.Labels?.[LABEL.files]).toBeUndefined()
  expect(given.Command).toBeUndefined()
})

test('`recipe: false` leaves it alone, too', async () => {
  const given = await container(
    'image: haproxy:2.6\nenvironment: {SERVICE_NAME: db}\nx-muster: {recipe: false}',
  )
  expect(given.Labels?.[LABEL.files]).toBeUndefined()
})

test('a missing variable is found before anything starts', async () => {
  const { problems } = await made('image: haproxy:2.6\nenvironment: {SERVICE_PORTS: "80"}')
  expect(problems).toEqual([
    expect.objectContaining({
      path: ['services', 'lb'],
      message: 'recipe haproxy: the variable SERVICE_NAME is missing.',
    }),
  ])
})

test('files that say whose they are, are in a volume of each container', async () => {
  const source = async (text: string) => {
    const given = await container(
      `image: x/any\nx-muster: {recipe: {name: template, files: {f: "${text}"}}}`,
    )
    return given.Mounts?.[0]?.Source
  }
  expect(await source('{{#web}}{{name}}{{/web}}')).toBe('shop_lb.run')
  expect(await source('{{self.slot}}')).toBe('shop_lb.{{.Task.Slot}}.run')
})
