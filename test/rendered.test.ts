/** Services whose files come from the live catalog, on real engines. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { ensureImages, formCluster, type Lab, labUp } from '../src/lab/index.ts'

const root = new URL('..', import.meta.url).pathname

const stack = (replicas: number, balancer: object = {}) =>
  JSON.stringify({
    name: 'bal',
    services: {
      web: {
        image: 'registry:5000/hello/app:1',
        environment: { NAME: 'app.{{.Task.Slot}}' },
        healthcheck: { test: ['CMD', 'perl', '/server.pl', '--check'], interval: '1s', retries: 5 },
        deploy: { replicas },
      },
      lb: {
        image: 'registry:5000/muster/haproxy:2.6',
        environment: { SERVICE_NAME: 'web', SERVICE_PORTS: '8080' },
        ports: ['9000:8080'],
        deploy: { replicas: 2 },
        ...balancer,
      },
    },
  })

describe('the recipe haproxy', () => {
  let lab: Lab
  const muster = async (args: string[], input?: string) => {
    const result = await lab.exec('host-1', ['muster', ...args], {
      timeoutMs: 170_000,
      ...(input === undefined ? {} : { input }),
    })
    return { ...result, text: `${result.stdout}\n${result.stderr}` }
  }
  const must = async (args: string[], input?: string) => {
    const result = await muster(args, input)
    if (result.exitCode !== 0) throw new Error(result.text)
    return result.text
  }
  const get = async (): Promise<string> => {
    const { stdout, exitCode } = await lab.exec(
      'host-2',
      ['curl', '-s', '--max-time', '2', 'http://127.0.0.1:9000/hello/you'],
      { timeoutMs: 10_000 },
    )
    return exitCode === 0 ? stdout.trim() : `failed ${exitCode}`
  }
  /** Who answers, of enough requests. */
  const answering = async (): Promise<string[]> => {
    const names = new Set<string>()
    for (let i = 0; i < 24; i++) {
      const text = await get()
      names.add(/app\.\d/.exec(text)?.[0] ?? text)
    }
    return [...names].sort()
  }

  beforeAll(async () => {
    lab = await labUp({ name: 'rendered', hosts: 3 })
    await ensureImages(lab, [
      { name: 'muster/edge:1', context: `${root}images/edge` },
      { name: 'muster/haproxy:2.6', context: `${root}images/haproxy` },
      { name: 'hello/app:1', context: `${root}examples/hello/app` },
    ])
    await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
  }, 600_000)
  afterAll(async () => {
    await lab?.down()
  })

  it('says before anything starts which variable is missing', async () => {
    const { exitCode, text } = await muster(
      ['plan', '-f', '-'],
      stack(2, { environment: { SERVICE_NAME: 'web' } }),
    )
    expect(exitCode).toBe(2)
    expect(text).toContain('the variable SERVICE_PORTS is missing')
  })

  it('leads to all replicas', async () => {
    await must(['up', '-f', '-'], stack(2))
    await until('both to answer', async () => (await answering()).join() === 'app.1,app.2', {
      timeoutMs: 20_000,
    })
    expect(await must(['plan', '-f', '-'], stack(2))).toContain('nothing to do')
  })

  it('follows as they come and go, and fails nobody', async () => {
    let failed = 0
    let asked = 0
    let over = false
    const client = (async () => {
      while (!over) {
        asked++
        if (!/app\.\d/.test(await get())) failed++
      }
    })()
    await must(['scale', 'web=4'])
    await until(
      'four to answer',
      async () => (await answering()).join() === 'app.1,app.2,app.3,app.4',
      { timeoutMs: 20_000 },
    )
    await must(['scale', 'web=1'])
    await until('one to answer', async () => (await answering()).length === 1, {
      timeoutMs: 20_000,
    })
    over = true
    await client
    expect(asked).toBeGreaterThan(20)
    expect(failed).toBe(0)
  })

  it('goes on when the agent of its host does, and takes over what has changed meanwhile', async () => {
    await must(['scale', 'web=2'])
    await until('two to answer', async () => (await answering()).length === 2, {
      timeoutMs: 20_000,
    })
  })
})
