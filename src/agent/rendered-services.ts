/** Keeps the files of containers that a recipe renders, and has them read again when they change. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LABEL, MusterError, messageOf } from '../base/index.ts'
import type { Catalog } from '../catalog/index.ts'
import type { ContainerSummary, Engine } from '../engine/index.ts'
import { writeFiles } from '../members/keeper/index.ts'
import {
  type OwnTask,
  type Reload,
  type RenderedFile,
  type RenderedRecipe,
  renderedChoice,
  viewFrom,
} from '../recipes/index.ts'
import type { VolumeRecord } from '../volumes/index.ts'

export interface RenderedServicesOptions {
  engine: Pick<Engine, 'listContainers' | 'killContainer' | 'exec'>
  /** Folder of the host behind a volume. */
  path: (volume: VolumeRecord) => string
  /** Volumes for files that are of no member. */
  volumes: () => VolumeRecord[]
  /** The files of a service are new: made, or made again because something has moved. */
  onRendered: (service: string) => void
  onProblem: (service: string, reason: string) => void
}

const SERVICE_NAME = 'com.docker.swarm.service.name'
/** How long a container waits at its start for this host to hear of its service. */
const WAIT_MS = 60_000
const RELOAD_MS = 20_000

/** A service that has containers here. */
interface Known {
  service: string
  recipe: RenderedRecipe
  options: Record<string, unknown>
  /** Null: all containers of it here have these files. */
  task: OwnTask | null
  /** What was written last. */
  files: string | null
}

/** The rendered services of one host. */
export class RenderedServices {
  readonly #options: RenderedServicesOptions
  /** By name of the volume. */
  readonly #known = new Map<string, Known>()
  /** Volumes whose containers this agent has looked for: later ones come through the gate. */
  readonly #seen = new Set<string>()
  #catalog: Catalog | null = null
  #changed = Promise.withResolvers<void>()
  /** One thing after another: files and reloads must not overtake each other. */
  #turn: Promise<void> = Promise.resolve()
  #due = false

  constructor(options: RenderedServicesOptions) {
    this.#options = options
  }

  /** The catalog that this host acts on. */
  apply(catalog: Catalog): void {
    if (this.#catalog === catalog) return
    this.#catalog = catalog
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
    if (this.#due) return
    this.#due = true
    void this.#inTurn(async () => {
      this.#due = false
      for (const volume of this.#options.volumes()) await this.#refresh(volume)
    })
  }

  /** The gate of the volume driver: a container's files are there before it starts. */
  async gate(volume: VolumeRecord, signal: AbortSignal): Promise<void> {
    if (volume.type !== 'run' || volume.member !== null) return
    const container = await this.#newest(volume)
    if (!container) return
    const late = AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS)])
    for (;;) {
      const changed = this.#changed.promise
      if (await this.#inTurn(() => this.#open(volume, container))) return
      if (late.aborted) {
        throw new MusterError(
          'TIMEOUT',
          `the agent of this host has not heard of ${serviceOf(container)} yet`,
        )
      }
      await Promise.race([changed, aborted(late)])
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work)
    this.#turn = mine.then(
      () => undefined,
      () => undefined,
    )
    return mine
  }

  /** The container that was made last with a volume and asks for files; undefined if none does. */
  async #newest(volume: VolumeRecord): Promise<ContainerSummary | undefined> {
    const list = await this.#options.engine.listContainers({
      all: true,
      filters: { volume: [volume.name] },
    })
    return list
      .filter((each) => renderedChoice(each.Labels?.[LABEL.files]) !== null)
      .sort((a, b) => (b.Created ?? 0) - (a.Created ?? 0))[0]
  }

  /** True once the files are written. */
  async #open(volume: VolumeRecord, container: ContainerSummary): Promise<boolean> {
    const known = this.#learn(volume, container)
    if (!known) return true
    const files = this.#render(known)
    if (!files) return false
    await this.#write(volume, known, files)
    return true
  }

  #learn(volume: VolumeRecord, container: ContainerSummary): Known | undefined {
    const choice = renderedChoice(container.Labels?.[LABEL.files])
    if (!choice) return undefined
    const before = this.#known.get(volume.name)
    const known = {
      ...choice,
      service: serviceOf(container),
      task: choice.recipe.ownFiles?.(choice.options) === true ? taskOf(container) : null,
      files: before?.files ?? null,
    }
    this.#known.set(volume.name, known)
    return known
  }

  #render({ service, recipe, options, task }: Known): RenderedFile[] | null {
    const view = this.#catalog && viewFrom(this.#catalog, service, task)
    return view && recipe.render(view, options)
  }

  /** True if they are others than before. */
  async #write(volume: VolumeRecord, known: Known, files: RenderedFile[]): Promise<boolean> {
    const text = JSON.stringify(files)
    if (known.files === text) return false
    const folder = this.#options.path(volume)
    const same = known.files === null && (await holds(folder, files))
    known.files = text
    if (same) return false
    await writeFiles(folder, files)
    this.#options.onRendered(known.service)
    return true
  }

  async #refresh(volume: VolumeRecord): Promise<void> {
    let known = this.#known.get(volume.name)
    try {
      if (!known && !this.#seen.has(volume.name)) {
        // An agent that has just started finds containers that run.
        const container = await this.#newest(volume)
        this.#seen.add(volume.name)
        if (container?.State === 'running') known = this.#learn(volume, container)
      }
      if (!known) return
      const files = this.#render(known)
      if (!files || !(await this.#write(volume, known, files))) return
      await this.#reload(volume, known)
    } catch (error) {
      // What was not read is written again at the next change.
      if (known) known.files = null
      this.#options.onProblem(known?.service ?? volume.name, messageOf(error))
    }
  }

  async #reload(volume: VolumeRecord, { recipe, options, service }: Known): Promise<void> {
    const reload = recipe.reload(options)
    if (reload === null) return
    const running = await this.#options.engine.listContainers({
      filters: { volume: [volume.name], status: ['running'] },
    })
    await Promise.all(
      running.map(async ({ Id: id = '' }) => {
        try {
          await this.#tell(id, reload)
        } catch (error) {
          this.#options.onProblem(service, messageOf(error))
        }
      }),
    )
  }

  async #tell(container: string, reload: Exclude<Reload, null>): Promise<void> {
    const { engine } = this.#options
    if ('signal' in reload) return engine.killContainer(container, reload.signal)
    const session = await engine.exec(container, { command: reload.command })
    session.stdout.resume()
    session.stderr.resume()
    try {
      const exit = await Promise.race([session.exited, aborted(AbortSignal.timeout(RELOAD_MS))])
      if (exit !== 0) {
        throw new MusterError(
          'DEPLOY_FAILED',
          exit === undefined
            ? `${reload.command.join(' ')} takes longer than ${RELOAD_MS / 1000} s`
            : `${reload.command.join(' ')} ended with status ${exit}`,
        )
      }
    } finally {
      session.stdin.destroy()
    }
  }
}

/** What an agent before this one has written may still be right; what cannot be read is written anew. */
const holds = async (folder: string, files: readonly RenderedFile[]): Promise<boolean> => {
  const contents = await Promise.all(
    files.map(({ path }) => readFile(join(folder, path), 'utf8').catch(() => null)),
  )
  return files.every(({ content }, i) => contents[i] === content)
}

/** From the labels that Swarm gives to a container: `shop_web.2.x7...`, or a host for the number. */
const taskOf = ({ Labels: labels = {} }: ContainerSummary): OwnTask => {
  const slot = /\.(\d+)\.[^.]+$/.exec(labels['com.docker.swarm.task.name'] ?? '')?.[1]
  return {
    id: labels['com.docker.swarm.task.id'] ?? '',
    slot: Number(slot ?? 0),
    host: labels['com.docker.swarm.node.id'] ?? '',
  }
}

const serviceOf = (container: ContainerSummary): string => container.Labels?.[SERVICE_NAME] ?? ''

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    else signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
