import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectEngine } from './client.ts'
import type { Engine } from './engine.ts'

/** An engine that answers as the test says. */
class FakeEngine implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'muster-engine-'))
  readonly #server: Server
  readonly requests: string[] = []

  constructor(answer: RequestListener, api = '1.41') {
    this.#server = createServer((request, response) => {
      this.requests.push(`${request.method} ${request.url}`)
      if (request.url?.endsWith('/_ping') !== true) {
        return answer(request, response)
      }
      response.setHeader('api-version', api)
      response.end('OK')
    })
  }

  get server(): Server {
    return this.#server
  }

  async listen(): Promise<string> {
    const path = join(this.#folder, 'docker.sock')
    await new Promise<void>((resolve) => this.#server.listen(path, resolve))
    return `unix://${path}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

describe('an engine behind a connection', () => {
  const cleanups: AsyncDisposable[] = []
  const start = async (
    answer: RequestListener,
    options: { api?: string; limitMs?: number } = {},
  ) => {
    const fake = new FakeEngine(answer, options.api)
    const host = await fake.listen()
    const engine = connectEngine({ host, env: {}, limitMs: options.limitMs ?? 2_000 })
    cleanups.push(engine, fake)
    return { fake, engine, host }
  }
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup[Symbol.asyncDispose]()
  })

  it('asks for the version once, and speaks it', async () => {
    const { fake, engine } = await start((_request, response) => response.end('[]'))
    await engine.listTasks()
    await engine.listTasks({ service: ['a b'] })
    expect(fake.requests).toEqual([
      'GET /_ping',
      'GET /v1.41/tasks',
      `GET /v1.41/tasks?filters=${encodeURIComponent('{"service":["a b"]}')}`,
    ])
  })

  it('asks a newer engine what it still speaks', async () => {
    const answer: RequestListener = (request, response) =>
      response.end(request.url === '/version' ? '{"MinAPIVersion":"1.44"}' : '[]')
    const { fake, engine } = await start(answer, { api: '1.60' })
    await engine.listNodes()
    expect(fake.requests.at(-1)).toBe('GET /v1.52/nodes')
    const strict = await start((_request, response) => response.end('{"MinAPIVersion":"1.55"}'), {
      api: '1.60',
    })
    await expect(strict.engine.listNodes()).rejects.toMatchObject({ code: 'ENGINE_TOO_OLD' })
  })

  it('gives up after the time limit, and says what it waited for', async () => {
    const { engine, host } = await start(() => undefined, { limitMs: 100 })
    await expect(engine.info()).rejects.toMatchObject({
      code: 'TIMEOUT',
      message: `Cannot ask about this host: the Docker Engine at ${host} did not finish within 0.1 s`,
    })
  })

  it('takes a silent cluster of an engine that is alive for a lost majority', async () => {
    const { engine } = await start(() => undefined, { limitMs: 100 })
    await expect(engine.listServices()).rejects.toMatchObject({ code: 'NO_QUORUM' })
  })

  it('notices an answer that breaks off, even in the middle of an error', async () => {
    const { engine } = await start((request, response) => {
      response.statusCode = request.url?.includes('/info') ? 200 : 500
      response.write('{"message": "half a')
      setTimeout(() => response.destroy(), 20)
    })
    await expect(engine.info()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
    await expect(engine.listNodes()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  })

  it('refuses answers that are not what they should be', async () => {
    const { engine } = await start((request, response) => {
      response.end(request.url?.includes('/info') ? '<html>' : '[{"ID": "x"}]')
    })
    await expect(engine.info()).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
    await expect(engine.listServices()).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
      message: expect.stringContaining('not a service') as string,
    })
  })

  it('follows no redirect, and asks for no empty name', async () => {
    const { engine } = await start((_request, response) => {
      response.statusCode = 301
      response.setHeader('location', '/elsewhere')
      response.end()
    })
    await expect(engine.inspectContainer('..')).rejects.toMatchObject({ code: 'ENGINE_REFUSED' })
    await expect(engine.inspectContainer('')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('reads health checks under the name that the engine gives them', async () => {
    const service = {
      ID: 's',
      Version: { Index: 1 },
      Spec: { Name: 'x', TaskTemplate: { ContainerSpec: { Healthcheck: { Test: ['NONE'] } } } },
    }
    const { engine } = await start((_request, response) => response.end(JSON.stringify(service)))
    expect((await engine.inspectService('x')).Spec.TaskTemplate?.ContainerSpec).toEqual({
      HealthCheck: { Test: ['NONE'] },
    })
  })

  it('ends a stream of events when told to, and throws when the engine goes away', async () => {
    const event = { Type: 'container', Action: 'start', Actor: { ID: 'c' } }
    const { engine, fake } = await start((request, response) => {
      expect(request.url).toMatch(/since=\d+/)
      response.write(`${JSON.stringify(event)}\n`)
    })
    const abort = new AbortController()
    let opened = 0
    const onOpen = () => (opened += 1)
    for await (const seen of engine.events({ signal: abort.signal, onOpen })) {
      expect(seen).toEqual(event)
      abort.abort()
    }
    expect(opened).toBe(1)
    const broken = async () => {
      for await (const _seen of engine.events({ signal: new AbortController().signal })) {
        fake.server.closeAllConnections()
      }
    }
    await expect(broken()).rejects.toMatchObject({ code: 'ENGINE_UNREACHABLE' })
  })

  it('times out a log that stops half-way, but not one that is followed', async () => {
    const { engine } = await start(
      (_request, response) => {
        response.setHeader('content-type', 'application/vnd.docker.multiplexed-stream')
        response.write(Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 104, 10]))
      },
      { limitMs: 150 },
    )
    const lines: string[] = []
    const read = async () => {
      for await (const { text: line } of engine.containerLogs('c', {})) lines.push(line)
    }
    await expect(read()).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(lines).toEqual(['h'])
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 400)
    const before = performance.now()
    for await (const _line of engine.containerLogs('c', { follow: true, signal: abort.signal })) {
      // Only the end is of interest.
    }
    expect(performance.now() - before).toBeGreaterThan(350)
  })

  it('reports what a registry says in the middle of a pull', async () => {
    const { engine, fake } = await start((_request, response) => {
      response.write('{"status":"Pulling","id":"latest"}\n')
      response.end('{"error":"manifest unknown"}\n')
    })
    const progress: string[] = []
    const pull = engine.pullImage('box:5000/a', { onProgress: (line) => progress.push(line) })
    await expect(pull).rejects.toMatchObject({
      code: 'ENGINE_REFUSED',
      message: 'Cannot pull box:5000/a: manifest unknown',
    })
    expect(progress).toEqual(['latest Pulling'])
    expect(fake.requests.at(-1)).toBe(
      'POST /v1.41/images/create?fromImage=box%3A5000%2Fa&tag=latest',
    )
  })

  describe('exec', () => {
    let engine: Engine
    let fake: FakeEngine
    beforeEach(async () => {
      ;({ engine, fake } = await start((request, response) => {
        if (request.method === 'POST') response.end('{"Id":"e"}')
        else response.end('{"Running":false,"ExitCode":3}')
      }))
    })

    it('speaks both ways over a connection that is no longer HTTP', async () => {
      fake.server.on('upgrade', (_request, socket: Duplex) => {
        socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
        socket.on('data', (data: Buffer) => {
          socket.end(Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, data.length]), data]))
        })
      })
      const session = await engine.exec('c', { command: ['cat'], stdin: true })
      session.stdin.write('ping')
      expect(await text(session.stdout)).toBe('ping')
      expect(await text(session.stderr)).toBe('')
      expect(await session.exited).toBe(3)
    })

    it('says so when something between does not let it through', async () => {
      await expect(engine.exec('c', { command: ['cat'] })).rejects.toMatchObject({
        code: 'ENGINE_REFUSED',
      })
    })
  })
})

it('says that nobody is there, and where it looked', async () => {
  await using engine = connectEngine({ host: 'unix:///nonexistent.sock', env: {} })
  await expect(engine.info()).rejects.toMatchObject({
    code: 'ENGINE_UNREACHABLE',
    message: expect.stringContaining('unix:///nonexistent.sock') as string,
    hint: expect.stringContaining('systemctl start docker') as string,
  })
})
