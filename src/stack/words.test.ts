import { describe, expect, test } from 'vitest'
import type { Service } from '../engine/index.ts'
import { emptyCluster, settledFrom } from './fixtures.ts'
import { plan } from './plan.ts'
import { planText } from './words.ts'

const running = async (yaml: string) => {
  const settled = await settledFrom(yaml)
  const cluster = emptyCluster()
  cluster.networks = settled.networks.map((each) => ({
    Id: each.name,
    ...each.request,
    Scope: 'swarm',
    Labels: each.request.Labels ?? {},
  }))
  cluster.services = settled.services.map((each, i) => ({
    ID: `s${i}`,
    Version: { Index: 1 },
    Spec: each.spec as Service['Spec'],
  }))
  return cluster
}

describe('a plan in words', () => {
  test('what changes with its field, what is new and what goes', async () => {
    const current = await running(
      'services: { web: { image: "w:41" }, worker: { image: k, deploy: { replicas: 2 } }, cron: { image: c }, db: { image: d } }',
    )
    const wanted = await settledFrom(
      'services: { web: { image: "w:42" }, worker: { image: k, deploy: { replicas: 4 } }, mailer: { image: m }, db: { image: d } }',
    )
    expect(planText(plan(wanted, current), { verb: 'muster up' })).toEqual([
      'stack shop (revision 1), 4 services, 1 unchanged',
      '',
      '  ~ web     image w:41 -> w:42      rolling, 1 at a time, start first',
      '  ~ worker  deploy.replicas 2 -> 4  no task restarts',
      '  + mailer  new, 1 replica',
      '  - cron    removed',
      '',
      '2 services change, 1 new, 1 removed; 1 task restarts. `muster up` does it.',
    ])
  })

  test('nothing to do is one line', async () => {
    const yaml = 'services: { web: { image: w } }'
    expect(
      planText(plan(await settledFrom(yaml), await running(yaml)), { verb: undefined }),
    ).toEqual(['stack shop: nothing to do, 1 service is as the file says.'])
  })

  test('values that are probably secret are not shown', async () => {
    const env = (value: string) =>
      `services: { web: { image: w, environment: { DB_PASSWORD: "${value}", API_TOKEN: "${value}" } } }`
    const text = planText(plan(await settledFrom(env('new')), await running(env('old'))), {
      verb: undefined,
    }).join('\n')
    expect(text).toContain('environment API_TOKEN changed')
    expect(text).not.toMatch(/old|new\b/)
  })
})

describe('what Swarm cannot do is refused before anything is changed', () => {
  test('a network that would have to change', async () => {
    const current = await running('services: { web: { image: w } }')
    const wanted = await settledFrom(
      'networks: { default: { internal: true } }\nservices: { web: { image: w } }',
    )
    expect(() => plan(wanted, current)).toThrow(/internal false -> true/)
  })

  test('external networks, configs and secrets that are not there', async () => {
    const missing = await settledFrom(
      'networks: { n: { external: true, name: outer } }\nservices: { web: { image: w, networks: [n] } }',
    )
    expect(() => plan(missing, emptyCluster())).toThrow(/external network "outer"/)
    const secret = await settledFrom(
      'secrets: { s: { external: true, name: key } }\nservices: { web: { image: w, secrets: [s] } }',
    )
    expect(() => plan(secret, emptyCluster())).toThrow(/external secret "key"/)
  })

  test('a network of the same name that belongs to somebody else', async () => {
    const current = await running('services: { web: { image: w } }')
    const [network] = current.networks
    if (network !== undefined) network.Labels = {}
    expect(() => plan({ ...emptySettled(), networks: [wantedNetwork()] }, current)).toThrow(
      /belongs to no stack/,
    )
  })
})

const emptySettled = () => ({ name: 'shop', networks: [], files: [], services: [] })
const wantedNetwork = () => ({
  name: 'shop_default',
  external: false,
  request: { Name: 'shop_default', Driver: 'overlay', Attachable: true },
})
