import { expect, test } from 'vitest'
import { desiredFrom, specsFrom } from './fixtures.ts'

const COMPOSE = `
services:
  web:
    image: web
    environment: { LEVEL: info, KEEP: "1" }
    volumes: [data:/data]
    depends_on: [db]
    pre_start:
      - { command: [migrate], environment: { LEVEL: debug } }
      - { image: busybox, command: [chown], user: root }
  db: { image: db }
volumes: { data: {} }
`

test('steps become jobs, one after the other, before the service', async () => {
  const { services } = await desiredFrom(COMPOSE)
  const of = (key: string) => {
    const service = services.find((each) => each.key === key)
    const container = service?.spec.TaskTemplate.ContainerSpec
    return {
      image: service?.image,
      args: container?.Args,
      env: container?.Env,
      user: container?.User,
      mounts: container?.Mounts?.map((each) => each.Target),
      job: service?.spec.Mode?.ReplicatedJob !== undefined,
      after: service?.after.map((each) => `${each.service} ${each.condition}`),
    }
  }
  expect(of('web-pre-start-1')).toEqual({
    image: 'web',
    args: ['migrate'],
    env: ['KEEP=1', 'LEVEL=debug'],
    user: undefined,
    mounts: ['/data'],
    job: true,
    after: ['shop_db service_started'],
  })
  expect(of('web-pre-start-2')).toMatchObject({
    image: 'busybox',
    user: 'root',
    env: ['KEEP=1', 'LEVEL=info'],
    after: ['shop_web-pre-start-1 service_completed_successfully'],
  })
  expect(of('web')).toMatchObject({
    job: false,
    after: ['shop_db service_started', 'shop_web-pre-start-2 service_completed_successfully'],
  })
})

test('a step before each replica is not possible', async () => {
  const { problems } = await specsFrom(
    'services: { web: { image: w, pre_start: [{ command: [a], per_replica: true }] } }',
  )
  expect(problems).toMatchObject([{ path: ['services', 'web', 'pre_start', 0, 'per_replica'] }])
})
