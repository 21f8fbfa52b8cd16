/** A real HAProxy in network namespaces, with a restart policy as a container would have. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  EDGE_SYSCTLS,
  type EdgeProcess,
  type NetworkFailure,
  superviseHaproxy,
} from '../../src/edge/index.ts'
import type { Net } from './namespaces.ts'

const exec = promisify(execFile)

export class HaproxyProcess implements EdgeProcess, AsyncDisposable {
  readonly dir: string
  readonly render: { adminSocket: string; namespace: string }
  readonly output: string[] = []
  networks: readonly string[] = []
  starts = 0
  reloads = 0
  readonly #inside: Net
  readonly #host: Net
  #child: ChildProcess | null = null
  #wanted = false

  private constructor(dir: string, nets: { inside: Net; host: Net }) {
    this.dir = dir
    this.render = { adminSocket: join(dir, 'admin.sock'), namespace: 'host' }
    this.#inside = nets.inside
    this.#host = nets.host
  }

  /** `inside`: where it lives and reaches servers; `host`: where it listens. */
  static async create(nets: { inside: Net; host: Net }): Promise<HaproxyProcess> {
    for (const [key, value] of Object.entries(EDGE_SYSCTLS)) {
      await nets.inside.run('sysctl', '-qw', `${key}=${value}`)
    }
    return new HaproxyProcess(await mkdtemp(join(tmpdir(), 'muster-edge-')), nets)
  }

  /** HAProxy's master process. */
  async master(): Promise<number> {
    const { stdout } = await exec('ps', ['-o', 'pid=', '--ppid', String(this.#child?.pid)])
    return Number(stdout.trim().split(/\s+/)[0])
  }

  async ensure(): Promise<'started' | 'running'> {
    this.#wanted = true
    if (this.#child !== null) return 'running'
    this.#start()
    return 'started'
  }

  async restart(): Promise<void> {
    this.#child?.kill('SIGTERM')
  }

  async reload(): Promise<void> {
    this.reloads += 1
    this.#child?.kill('SIGUSR2')
  }

  async setNetworks(networks: readonly string[]): Promise<NetworkFailure[]> {
    this.networks = networks
    return []
  }

  async remove(): Promise<void> {
    this.#wanted = false
    this.#child?.kill('SIGTERM')
  }

  #start(): void {
    this.starts += 1
    const steps = [
      'mkdir -p /run/netns && mount -t tmpfs none /run/netns && touch /run/netns/host',
      `mount --bind ${this.#host.path} /run/netns/host`,
      superviseHaproxy(join(this.dir, 'haproxy.cfg')),
    ]
    const script = `set -e\n${steps.slice(0, -1).join('\n')}\nset +e\n${steps.at(-1)}`
    const child = spawn(
      'nsenter',
      [`--net=${this.#inside.path}`, 'unshare', '-m', 'sh', '-c', script],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    )
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => this.output.push(data.toString()))
    }
    this.#child = child
    child.once('exit', () => {
      this.#child = null
      if (this.#wanted) setTimeout(() => this.#wanted && this.#child === null && this.#start(), 100)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wanted = false
    const child = this.#child
    if (child !== null) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await ended
    }
    await rm(this.dir, { recursive: true, force: true })
  }
}
