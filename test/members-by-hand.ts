/** Members of a clustered service as one host's agent would run them, one step at a time. */
import { once } from 'node:events'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { until } from '../src/base/index.ts'
import { connectEngine, type Engine, type ExecSession } from '../src/engine/index.ts'
import type { Lab } from '../src/lab/index.ts'
import type { Answer, Peer, Question, Recipe, Recovered, Start } from '../src/recipes/index.ts'

const NETWORK = 'members'
const SUBNET = '10.199.0.0/24'
const STOP_S = 60

/** One cluster on one host of a lab, in a bridge network. */
export class MembersByHand implements AsyncDisposable {
  readonly members = new Map<string, MemberByHand>()
  readonly engine: Engine
  readonly lab: Lab
  readonly host: string
  readonly recipe: Recipe
  readonly image: string
  readonly options: Record<string, unknown>
  readonly env: Record<string, string>
  readonly name: string
  readonly uid = 'c0ffee00d15ea5e0'

  constructor(given: {
    lab: Lab
    host: string
    recipe: Recipe
    image: string
    name?: string
    options?: Record<string, unknown>
    env?: Record<string, string>
  }) {
    this.lab = given.lab
    this.host = given.host
    this.recipe = given.recipe
    this.image = given.image
    this.name = given.name ?? 'shop_db'
    this.env = given.env ?? {}
    this.options = given.recipe.options(given.options ?? {}, new Map(Object.entries(this.env)))
    this.engine = connectEngine({ host: given.lab.dockerHost(given.host) })
  }

  async prepare(): Promise<void> {
    await this.engine.pullImage(this.image)
    const networks = await this.engine.listNetworks({ name: [NETWORK] })
    if (networks.some(({ Name }) => Name === NETWORK)) return
    await this.engine.createNetwork({
      Name: NETWORK,
      Driver: 'bridge',
      IPAM: { Config: [{ Subnet: SUBNET }] },
    })
  }

  member(number: number): MemberByHand {
    const id = `${this.name}-${number}`
    const known = this.members.get(id)
    if (known) return known
    const member = new MemberByHand(this, id)
    this.members.set(id, member)
    return member
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members.values()) await member.remove()
    await this.engine[Symbol.asyncDispose]()
  }
}

export class MemberByHand {
  readonly cluster: MembersByHand
  readonly id: string
  readonly folder: string
  container: string | null = null
  session: AskedSession | null = null
  address: string | null = null

  constructor(cluster: MembersByHand, id: string) {
    this.cluster = cluster
    this.id = id
    this.folder = `/var/lib/muster/by-hand/${id}`
  }

  path(...parts: string[]): string {
    return this.cluster.lab.hostPath(this.cluster.host, join(this.folder, ...parts))
  }

  /** As the gate asks: what is in the folder, and how far. */
  async recover(): Promise<Recovered | null> {
    const { recipe } = this.cluster
    await mkdir(this.path('data'), { recursive: true })
    if (!recipe.holdsData(await readdir(this.path('data'))) || recipe.recover === null) {
      return { position: null, clean: false, damaged: null }
    }
    return this.helper(recipe.recover, 'recover')
  }

  /** Runs a question's command on the data at rest. */
  async helper<T>(question: Question<T>, name: string): Promise<T | null> {
    const { recipe, engine, image } = this.cluster
    const [entry = '', ...rest] = question.command
    const { Id } = await engine.createContainer(`${this.id}-${name}`, {
      Image: image,
      Entrypoint: [entry],
      Cmd: rest,
      User: '0',
      HostConfig: { NetworkMode: 'none', Binds: [`${this.folder}/data:${recipe.data}`] },
    })
    try {
      await engine.startContainer(Id)
      const ended = await until(
        `${this.id}: ${name}`,
        async () => {
          const { State } = await engine.inspectContainer(Id)
          return State?.Status === 'exited' ? (State.ExitCode ?? -1) : false
        },
        { timeoutMs: question.timeoutMs, intervalMs: 50 },
      )
      let stdout = ''
      let stderr = ''
      for await (const { stream, text } of engine.containerLogs(Id, {})) {
        if (stream === 'stdout') stdout += `${text}\n`
        else stderr += `${text}\n`
      }
      return question.read({ exit: ended, stdout, stderr })
    } finally {
      await engine.removeContainer(Id, { force: true })
    }
  }

  peers(): Peer[] {
    return [...this.cluster.members.values()]
      .filter((other) => other !== this)
      .map(({ id, address }) => ({ id, name: id, address, ready: address !== null }))
  }

  async start(
    start: Start,
    over: { donors?: string[]; writer?: string; secret?: number } = {},
  ): Promise<void> {
    const { recipe, engine, image, options, env, uid } = this.cluster
    await this.remove()
    const files = recipe.render({
      cluster: this.cluster.name,
      uid,
      epoch: 1,
      self: this.id,
      name: this.id,
      subnet: SUBNET,
      hostAddress: null,
      peers: this.peers(),
      donors: over.donors ?? [],
      writer: over.writer ?? null,
      options,
      start,
    })
    await mkdir(this.path('data'), { recursive: true })
    for (const { path, content, mode } of files) {
      const file = this.path('run', path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, content, { mode: mode ?? 0o644 })
    }
    await mkdir(this.path('secrets'), { recursive: true })
    for (const { name, bytes } of recipe.secrets) {
      await writeFile(
        this.path('secrets', name),
        Buffer.alloc(bytes, over.secret ?? 7).toString('base64url'),
      )
    }
    const parts = recipe.container(options)
    const { Id } = await engine.createContainer(this.id, {
      Image: image,
      ...(parts.entrypoint === null ? {} : { Entrypoint: parts.entrypoint }),
      ...(parts.command === null ? {} : { Cmd: parts.command }),
      ...(parts.user === null ? {} : { User: parts.user }),
      Env: Object.entries({ ...parts.env, ...env }).map(([key, value]) => `${key}=${value}`),
      HostConfig: {
        NetworkMode: NETWORK,
        Binds: [
          `${this.folder}/data:${recipe.data}`,
          `${this.folder}/run:/muster:ro`,
          `${this.folder}/secrets:/run/secrets:ro`,
        ],
      },
    })
    this.container = Id
    await engine.startContainer(Id)
    const inspected = await engine.inspectContainer(Id)
    this.address = inspected.NetworkSettings?.Networks?.[NETWORK]?.IPAddress ?? null
  }

  /** One question to the running member; null while it does not answer. */
  async ask(): Promise<Answer | null> {
    if (this.container === null) return null
    const { session } = this.cluster.recipe
    try {
      this.session ??= new AskedSession(
        await this.cluster.engine.exec(this.container, { command: session.command, stdin: true }),
      )
      return session.read(await this.session.ask(session.ask, session.timeoutMs))
    } catch {
      this.session = null
      return null
    }
  }

  async ready(timeoutMs = 60_000): Promise<Answer> {
    try {
      return await until(
        `${this.id} to be ready`,
        async () => {
          const answer = await this.ask()
          if (await this.ended()) throw new Error(`${this.id} has ended`)
          return answer?.status.role === 'ready' && answer.causal && answer
        },
        { timeoutMs, intervalMs: 100 },
      )
    } catch (cause) {
      throw new Error(`${this.id}: ${String(cause)}\n${await this.log(60)}`, { cause })
    }
  }

  async ended(): Promise<boolean> {
    if (this.container === null) return true
    return (await this.cluster.engine.inspectContainer(this.container)).State?.Running === false
  }

  /** Runs a command in the member and gives what it printed. */
  async run(command: string[]): Promise<string> {
    if (this.container === null) throw new Error(`${this.id} does not run`)
    const session = await this.cluster.engine.exec(this.container, { command })
    const output: string[] = []
    for (const stream of [session.stdout, session.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text))
    }
    const exit = await session.exited
    const text = output.join('')
    if (exit !== 0) throw new Error(`${this.id}: ${command.join(' ')}: ${text}`)
    return text.trim()
  }

  async log(tail: number): Promise<string> {
    if (this.container === null) return ''
    const lines: string[] = []
    for await (const { text } of this.cluster.engine.containerLogs(this.container, { tail })) {
      lines.push(text)
    }
    return lines.join('\n')
  }

  async kill(signal = 'SIGKILL'): Promise<void> {
    if (this.container === null) return
    await this.cluster.engine.killContainer(this.container, signal)
    // Nobody looks for one that is known not to run.
    if (signal === 'SIGKILL') this.address = null
    this.session = null
  }

  async stop(): Promise<void> {
    if (this.container === null) return
    await this.cluster.engine.stopContainer(this.container, { timeoutSeconds: STOP_S })
    this.address = null
    this.session = null
  }

  async remove(): Promise<void> {
    if (this.container === null) return
    await this.cluster.engine.removeContainer(this.container, { force: true })
    this.container = null
    this.address = null
    this.session = null
  }

  /** The process stands still, as on a host that is paused. */
  async freeze(): Promise<void> {
    if (this.container !== null) await this.cluster.engine.killContainer(this.container, 'SIGSTOP')
  }

  async thaw(): Promise<void> {
    if (this.container !== null) await this.cluster.engine.killContainer(this.container, 'SIGCONT')
  }

  /** The disk is gone. */
  async loseVolume(): Promise<void> {
    await this.remove()
    await rm(this.path('data'), { recursive: true, force: true })
  }
}

/** A recipe's session, asked one question at a time. */
class AskedSession {
  readonly #session: ExecSession
  #lines: string[] = []
  #wake: () => void = () => undefined
  #over = false

  constructor(session: ExecSession) {
    this.#session = session
    const lines = createInterface({ input: session.stdout })
    lines.on('line', (line) => {
      this.#lines.push(line)
      this.#wake()
    })
    void once(lines, 'close').then(() => {
      this.#over = true
      this.#wake()
    })
  }

  async ask(question: (mark: string) => string, timeoutMs: number): Promise<string> {
    const mark = `m${Math.random().toString(36).slice(2)}`
    this.#lines = []
    this.#session.stdin.write(question(mark))
    const deadline = performance.now() + timeoutMs
    while (!this.#over) {
      const end = this.#lines.indexOf(mark)
      if (end >= 0) return this.#lines.slice(0, end).join('\n')
      const left = deadline - performance.now()
      if (left <= 0) return this.#lines.join('\n')
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    throw new Error('the session has ended')
  }
}
