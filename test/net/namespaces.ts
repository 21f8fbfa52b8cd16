/** Network namespaces on a bridge, for tests with real kernels and processes but without engines. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism, loadavg } from 'node:os'
import { createInterface, type Interface } from 'node:readline'
import { promisify } from 'node:util'

const exec = promisify(execFile)
const here = new URL('.', import.meta.url).pathname
/** Namespaces end by themselves if the tests die. */
const LIFE_SECONDS = 600

/** Time limits are for a machine that has nothing else to do; a busy one gets so many times more. */
export const patience = (): number => Math.max(1, (loadavg()[0] ?? 0) / availableParallelism())

/** One namespace, kept alive by a process of its own. */
export class Net {
  readonly name: string
  readonly address: string
  readonly #holder: ChildProcess
  readonly #children = new Set<ChildProcess>()

  constructor(name: string, address: string, holder: ChildProcess) {
    this.name = name
    this.address = address
    this.#holder = holder
  }

  get path(): string {
    return `/proc/${this.#holder.pid}/ns/net`
  }

  /** Runs a command to its end; rejects when it fails. */
  async run(command: string, ...args: string[]): Promise<string> {
    const { stdout } = await exec('nsenter', [`--net=${this.path}`, command, ...args], {
      timeout: 30_000,
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  }

  /** Starts a process; it ends with the namespace. */
  spawn(command: string, ...args: string[]): ChildProcess {
    const child = spawn('nsenter', [`--net=${this.path}`, command, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** The service of server.ts under this name; resolves when it listens. */
  async serve(name = this.name): Promise<ChildProcess> {
    const child = this.spawn(process.execPath, `${here}server.ts`, name)
    if (child.stdout === null) throw new Error('no output')
    await once(child.stdout, 'data')
    return child
  }

  /** client.ts with these arguments. */
  client(...args: string[]): Client {
    return new Client(this.spawn(process.execPath, `${here}client.ts`, ...args))
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    this.#holder.kill('SIGKILL')
    if (this.#holder.exitCode === null && this.#holder.signalCode === null) {
      await once(this.#holder, 'exit')
    }
  }
}

/** A running client and what it prints. */
export class Client implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(child: ChildProcess) {
    this.#child = child
    if (child.stdout === null) throw new Error('no output')
    const lines: Interface = createInterface(child.stdout)
    this.#lines = lines[Symbol.asyncIterator]()
  }

  /** The next thing it says. */
  async next<T>(timeoutMs = 30_000): Promise<T> {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(), timeoutMs)
    try {
      const line = await Promise.race([
        this.#lines.next(),
        once(timeout.signal, 'abort').then(() => null),
      ])
      if (line === null || line.done === true) throw new Error('the client says nothing more')
      return JSON.parse(line.value) as T
    } finally {
      clearTimeout(timer)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await Promise.resolve()
  }
}

interface Link {
  address: string
}

/** A bridge with namespaces on it: 10.77.0.10, .11, ... */
export class Nets implements AsyncDisposable {
  readonly #switch: Net
  readonly #nets: Net[] = []
  readonly #macs = new Map<Net, string>()

  private constructor(bridge: Net) {
    this.#switch = bridge
  }

  static async create(): Promise<Nets> {
    const bridge = new Net('switch', '', await hold())
    const nets = new Nets(bridge)
    await bridge.run('ip', 'link', 'add', 'br0', 'type', 'bridge')
    await bridge.run('ip', 'link', 'set', 'br0', 'up')
    return nets
  }

  async add(name: string): Promise<Net> {
    const holder = await hold()
    const net = new Net(name, `10.77.0.${10 + this.#nets.length}`, holder)
    this.#nets.push(net)
    const port = `p-${name}`
    const peer = ['peer', 'name', 'eth0', 'netns', String(holder.pid)]
    await this.#switch.run('ip', 'link', 'add', port, 'type', 'veth', ...peer)
    await this.#switch.run('ip', 'link', 'set', port, 'master', 'br0', 'up')
    await net.run('ip', 'link', 'set', 'lo', 'up')
    await net.run('ip', 'addr', 'add', `${net.address}/24`, 'dev', 'eth0')
    await net.run('ip', 'link', 'set', 'eth0', 'up')
    await this.#introduce(net)
    return net
  }

  /** Everybody knows everybody's hardware address, also of those that are silent, as in an overlay. */
  async #introduce(net: Net): Promise<void> {
    const [link] = JSON.parse(await net.run('ip', '-j', 'link', 'show', 'eth0')) as Link[]
    if (link === undefined) throw new Error('no eth0')
    for (const [other, known, mac] of this.#nets.flatMap((one) => [
      [one, net, link.address] as const,
      [net, one, this.#macs.get(one) ?? ''] as const,
    ])) {
      if (other === known) continue
      const entry = [known.address, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent']
      await other.run('ip', 'neigh', 'replace', ...entry)
    }
    this.#macs.set(net, link.address)
  }

  /** Pulls the cable: nothing is refused, nothing answers. */
  async cut(net: Net): Promise<void> {
    await this.#switch.run('ip', 'link', 'set', `p-${net.name}`, 'nomaster')
  }

  async heal(net: Net): Promise<void> {
    await this.#switch.run('ip', 'link', 'set', `p-${net.name}`, 'master', 'br0')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nets, this.#switch].map((net) => net.end()))
  }
}

/** A namespace on no bridge. */
export const lonelyNet = async (): Promise<Net> => new Net('lonely', '', await hold())

const hold = async (): Promise<ChildProcess> => {
  const child = spawn('unshare', ['-n', 'sh', '-c', `echo up; exec sleep ${LIFE_SECONDS}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('no output')
  await once(child.stdout, 'data')
  return child
}
