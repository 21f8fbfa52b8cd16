/** A lab with a clustered service on it, driven as a user does: what tests of all recipes share. */
import { fileURLToPath } from 'node:url'
import { until } from '../src/base/index.ts'
import {
  type ExecResult,
  ensureImages,
  formCluster,
  type ImageSource,
  type Lab,
  labUp,
} from '../src/lab/index.ts'

/** Folder of the project. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))
export const EDGE_IMAGE: ImageSource = { name: 'muster/edge:1', context: `${ROOT}images/edge` }

/** A line of `muster ps SERVICE` of a clustered service. */
export interface MemberLine {
  member: string
  host: string
  role: string
  state: string
  position: { history: string; sequence: string } | null
  current: boolean
  note: string
}

/** How a lab is brought up. */
export interface BringUp {
  name: string
  hosts: number
  /** All hosts, unless told otherwise. */
  managers?: number
  images: readonly ImageSource[]
  onProgress?: ((line: string) => void) | undefined
  /** Called when hosts run and before they are a cluster. */
  prepare?: (lab: Lab) => Promise<void>
}

/** A lab whose hosts are a cluster, and have the images; nothing is deployed yet. */
export const bringUp = async (options: BringUp): Promise<Lab> => {
  const { name, hosts, managers, images, onProgress } = options
  const lab = await labUp({ name, hosts, ...(onProgress && { onProgress }) })
  await ensureImages(lab, [EDGE_IMAGE, ...images], onProgress)
  await options.prepare?.(lab)
  await formCluster(lab, {
    edgeImage: `registry:5000/${EDGE_IMAGE.name}`,
    ...(managers !== undefined && { managers }),
    ...(onProgress && { onProgress }),
  })
  // What is looked at is what Muster does, not the pulling of images.
  for (const image of images) {
    await Promise.all(
      lab.hosts.map((host) =>
        lab.exec(host, ['docker', 'pull', '-q', `registry:5000/${image.name}`]),
      ),
    )
  }
  return lab
}

/** One clustered service of a stack on a lab. */
export class MemberLab implements AsyncDisposable {
  readonly lab: Lab
  readonly stack: string
  readonly service: string

  /** One of its members takes the writes. */
  readonly #hasWriter: boolean

  constructor({
    lab,
    stack,
    service,
    hasWriter = true,
  }: {
    lab: Lab
    stack: string
    service: string
    hasWriter?: boolean
  }) {
    this.#hasWriter = hasWriter
    this.lab = lab
    this.stack = stack
    this.service = service
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.down()
  }

  muster(args: string[], options: { input?: string; host?: string } = {}): Promise<ExecResult> {
    const { input, host = this.lab.hosts[0] ?? '' } = options
    return this.lab.exec(host, ['muster', ...args], {
      timeoutMs: 290_000,
      ...(input === undefined ? {} : { input }),
    })
  }

  /** The same, and an error when it fails. */
  async must(args: string[], options: { input?: string; host?: string } = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.muster(args, options)
    if (exitCode === 0) return stdout
    throw new Error(`muster ${args.join(' ')}: ${stdout}\n${stderr}`)
  }

  async members(host?: string): Promise<MemberLine[]> {
    const text = await this.must(
      ['ps', this.service, '--format', 'json'],
      host === undefined ? {} : { host },
    )
    return JSON.parse(text) as MemberLine[]
  }

  /** Until so many members serve, one of them as the writer if there has to be one. */
  async ready(count: number, timeoutMs = 120_000): Promise<MemberLine[]> {
    let seen: MemberLine[] = []
    const host = this.lab.hosts[0]
    await until(
      `${count} members to be ready`,
      async () => {
        const answer = await this.muster(
          ['ps', this.service, '--format', 'json'],
          host === undefined ? {} : { host },
        )
        if (answer.exitCode !== 0) return false
        seen = JSON.parse(answer.stdout) as MemberLine[]
        return (
          seen.length === count &&
          seen.every((each) => each.state === 'serving') &&
          (!this.#hasWriter || seen.some((each) => each.role === 'writer'))
        )
      },
      { timeoutMs, intervalMs: 100 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(seen, null, 1)}`)
    })
    return seen
  }

  /** The running container of a service on a host; undefined if there is none. */
  async containerOn(host: string, service: string): Promise<string | undefined> {
    const { stdout } = await this.lab.exec(host, [
      'docker',
      'ps',
      '-q',
      '--no-trunc',
      '--filter',
      `label=com.docker.swarm.service.name=${this.stack}_${service}`,
    ])
    return stdout.split('\n').find((line) => line !== '')
  }

  /** A container of a service, on the host that has it. */
  async container(service: string): Promise<{ host: string; id: string }> {
    for (const host of this.lab.hosts) {
      const id = await this.containerOn(host, service)
      if (id !== undefined) return { host, id }
    }
    throw new Error(`no container of ${service}`)
  }

  async kill(...members: string[]): Promise<void> {
    const containers = await Promise.all(members.map((each) => this.container(each)))
    for (const [i, member] of members.entries()) this.#known.set(member, containers[i]?.id ?? '')
    await Promise.all(
      containers.map(({ host, id }) => this.lab.exec(host, ['docker', 'kill', '-s', 'KILL', id])),
    )
  }

  readonly #known = new Map<string, string>()

  /** Until a member has another container than when `kill` or `loseVolume` ended it. */
  async changed(member: string): Promise<void> {
    const before = this.#known.get(member)
    await until(
      `${member} to get another container`,
      async () => {
        try {
          return (await this.container(member)).id !== before
        } catch {
          return false
        }
      },
      { timeoutMs: 60_000 },
    )
  }

  /** Until Muster says that it cannot decide. */
  async held(): Promise<void> {
    await until(
      `${this.service} to be held`,
      async () => (await this.muster(['why', this.service])).stdout.includes('is held'),
      { timeoutMs: 90_000, intervalMs: 200 },
    )
  }

  /** Pulls the power of all hosts at once, and gives it back. */
  async powerCycle(): Promise<void> {
    await Promise.all(this.lab.hosts.map((host) => this.lab.kill(host)))
    await Promise.all(this.lab.hosts.map((host) => this.lab.start(host)))
  }

  /** The disk with the data of one member breaks, and takes its process with it. */
  async loseVolume({ member, host }: Pick<MemberLine, 'member' | 'host'>): Promise<void> {
    const { id } = await this.container(member)
    this.#known.set(member, id)
    await this.lab.exec(host, ['sh', '-c', loseVolumeCommand(`${this.stack}_${member}`, id)])
  }
}

/** Removes what is in a member's volume, and kills its container. */
export const loseVolumeCommand = (member: string, container: string): string =>
  `rm -rf /var/lib/muster/volumes/${member}/*; docker kill -s KILL ${container}`
