/** Services whose files come from the live catalog, on real engines. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { ensureImages, formCluster, type Lab, labUp } from '../src/lab/index.ts'
import { haproxy, type View } from '../src/recipes/index.ts'

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

describe('services whose files come from the catalog', () => {
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

  it('follows as they come and go, under requests', async () => {
    const failed: string[] = []
    let asked = 0
    const over = new AbortController()
    const client = (async () => {
      while (!over.signal.aborted) {
        asked++
        const answer = await get()
        if (!/app\.\d/.test(answer)) failed.push(`${asked}: ${answer}`)
      }
    })()
    try {
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
    } finally {
      over.abort()
      await client
    }
    expect(asked).toBeGreaterThan(20)
    // One of some hundred is closed without an answer now and then, by either balancer (docs/plan.md).
    expect(failed.length, failed.join()).toBeLessThanOrEqual(2)
  })

  it('takes over what has changed while its agent was away', async () => {
    for (const host of lab.hosts) {
      const { stdout } = await lab.exec(host, ['ps', 'ax', '-o', 'pid=,args='])
      const agent = stdout.split('\n').find((line) => line.includes('muster.mjs agent'))
      await lab.exec(host, ['kill', '-9', agent?.trim().split(' ')[0] ?? ''])
    }
    expect(await get()).toMatch(/app\.\d/)
    await must(['scale', 'web=2'])
    await until('two to answer', async () => (await answering()).length === 2, {
      timeoutMs: 30_000,
    })
  })

  it('renders templates, and has them read again by a signal', async () => {
    const file = JSON.stringify({
      name: 'tpl',
      services: {
        web: {
          image: 'registry:5000/hello/app:1',
          environment: { NAME: 'tpl.{{.Task.Slot}}' },
          deploy: { replicas: 1 },
        },
        front: {
          image: 'registry:5000/muster/edge:1',
          command: ['-W', '-db', '-f', '/muster/front.cfg'],
          ports: ['9001:8080'],
          'x-muster': {
            recipe: {
              name: 'template',
              files: { 'front.cfg': { config: 'front' } },
              reload: { signal: 'USR2' },
            },
          },
        },
      },
      configs: {
        front: {
          content: [
            'defaults',
            '  mode tcp',
            '  timeout connect 2s',
            '  timeout client 1m',
            '  timeout server 1m',
            'listen web',
            '  bind :8080',
            '  {{#web}}',
            '  server {{name}} {{address}}:8080',
            '  {{/web}}',
            '',
          ].join('\n'),
        },
      },
    })
    await must(['up', '-f', '-'], file)
    const names = async () => {
      const seen = new Set<string>()
      for (let i = 0; i < 12; i++) {
        const { stdout } = await lab.exec('host-2', [
          'curl',
          '-s',
          '--max-time',
          '2',
          'http://127.0.0.1:9001/hello/you',
        ])
        seen.add(/tpl\.\d/.exec(stdout)?.[0] ?? 'none')
      }
      return [...seen].sort().join()
    }
    await until('one to answer', async () => (await names()) === 'tpl.1', { timeoutMs: 20_000 })
    await must(['scale', 'tpl_web=2'])
    await until('two to answer', async () => (await names()) === 'tpl.1,tpl.2', {
      timeoutMs: 20_000,
    })
  })

  it('ends what older workers still have with a server that is gone', async () => {
    const host = 'host-3'
    const on = async (...argv: string[]) => {
      const { stdout, stderr, exitCode } = await lab.exec(host, argv)
      if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`)
      return stdout.trim()
    }
    const image = 'registry:5000/muster/haproxy:2.6'
    const folder = '/var/lib/muster/rendered-test'
    await on('docker', 'network', 'create', 'byhand')
    const address = async (name: string): Promise<string> =>
      on('docker', 'inspect', '--format', '{{.NetworkSettings.Networks.byhand.IPAddress}}', name)
    for (const name of ['old', 'new']) {
      await on(
        ...`docker run -d --name ${name} --network byhand --entrypoint socat ${image}`.split(' '),
        'TCP-LISTEN:7000,fork,reuseaddr',
        `SYSTEM:echo ${name}; cat`,
      )
    }
    const servers = new Map([
      ['old', await address('old')],
      ['new', await address('new')],
    ])
    const put = async (writer: string) => {
      const seen = [...servers].map(([each, at]) => ({
        name: each,
        address: at,
        host,
        writer: each === writer,
        backup: false,
      }))
      const view: View = {
        self: null,
        service: 'lb',
        find: (name) => ({ name, servers: seen, keeps: seen, writerPorts: [7000] }),
      }
      const options = haproxy.options(
        {},
        {
          environment: new Map([
            ['SERVICE_NAME', 'db'],
            ['SERVICE_PORTS', '7000 4008'],
          ]),
          config: () => null,
        },
      )
      for (const { path, content } of haproxy.render(view, options)) {
        const file = lab.hostPath(host, `${folder}/${path}`)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, content)
      }
    }
    await put('old')
    await on(
      ...`docker run -d --name lb --network byhand -v ${folder}:/muster:ro --entrypoint sh ${image} /muster/start`.split(
        ' ',
      ),
    )
    const connect = (port: number) =>
      lab.exec(
        host,
        ['docker', 'exec', 'old', 'sh', '-c', `timeout 20 socat -u TCP:lb:${port} -; true`],
        { timeoutMs: 40_000 },
      )
    await until(
      'the balancer to serve',
      async () => (await lab.exec(host, ['docker', 'exec', 'lb', 'true'])).exitCode === 0,
      { timeoutMs: 10_000 },
    )
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const startedAt = performance.now()
    const writing = connect(7000).then((result) => ({
      ...result,
      after: performance.now() - startedAt,
    }))
    const reading = connect(4008).then((result) => ({
      ...result,
      after: performance.now() - startedAt,
    }))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await put('new')
    await on('docker', 'exec', 'lb', 'sh', '/muster/reload')
    const [wrote, read] = await Promise.all([writing, reading])
    expect(wrote.stdout).toBe('old')
    expect(wrote.after).toBeLessThan(10_000)
    // Who only reads is left alone.
    expect(read.after).toBeGreaterThan(15_000)
    expect((await connect(7000)).stdout).toBe('new')
  })
})
