import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../base/index.ts'
import type { Cluster, ClusterName, RecipeChoice } from '../catalog/index.ts'
import { recipeFromModule } from './module.ts'
import type { Recipe } from './recipe.ts'

export interface ShelfOptions {
  /** Recipes that come with Muster. */
  recipes: readonly Recipe[]
  /** Where modules are kept for when their services are gone; null: nowhere. */
  folder: string | null
  /** A recipe that was asked for is there now. */
  onLoaded: () => void
  onProblem: (text: string) => void
}

/** What a clustered service says of its recipe. `choice` null: there is no service any more. */
export interface Asked {
  cluster: ClusterName
  name: string
  choice: Pick<RecipeChoice, 'code'> | null
}

const FILE = /^(.+)\.recipe$/

/**
 * The recipes that an agent knows: those that come with Muster, and those that come with services. The last
 * module of each clustered service is kept, because its members have to be stopped and its data
 * looked at when the service is gone.
 */
export class Shelf {
  readonly #options: ShelfOptions
  /** By the text of the module: the same text is the same recipe. */
  readonly #loading = new Map<string, Promise<Recipe | null>>()
  readonly #loaded = new Map<string, Recipe>()
  /** Last module of each clustered service. */
  readonly #last = new Map<ClusterName, string>()

  constructor(options: ShelfOptions) {
    this.#options = options
  }

  /** Reads what was kept. */
  async start(): Promise<void> {
    const { folder, onProblem } = this.#options
    if (folder === null) return
    const names = await readdir(folder).catch(() => [])
    for (const file of names) {
      const [, cluster] = FILE.exec(file) ?? []
      if (cluster === undefined) continue
      try {
        const code = await readFile(join(folder, file), 'utf8')
        this.#last.set(cluster, code)
        await this.#load(code)
      } catch (error) {
        onProblem(`${file}: ${messageOf(error)}`)
      }
    }
  }

  /** What is at hand now; what is not yet is fetched, and told of by `onLoaded`. */
  find({ cluster, name, choice }: Asked): Recipe | undefined {
    const code = choice === null ? this.#last.get(cluster) : choice.code
    if (code === undefined) return this.#options.recipes.find((each) => each.name === name)
    const known = this.#loaded.get(code)
    if (choice !== null) void this.#keep(cluster, code)
    if (known === undefined) void this.#load(code)
    if (known?.name === name) return known
    return choice === null ? this.#options.recipes.find((each) => each.name === name) : undefined
  }

  /** Gets and keeps what the clustered services of the whole cluster have. */
  apply(clusters: Iterable<Cluster>): void {
    for (const { id, head } of clusters) {
      if (head?.choice.code !== undefined)
        this.find({ cluster: id, ...head.choice, choice: head.choice })
    }
  }

  /** The same as `find`, waited for. */
  async fetch(asked: Asked): Promise<Recipe | undefined> {
    const code = asked.choice?.code
    if (code !== undefined) await this.#load(code)
    return this.find(asked)
  }

  #load(code: string): Promise<Recipe | null> {
    const known = this.#loading.get(code)
    if (known) return known
    const { onLoaded, onProblem } = this.#options
    const load = async (): Promise<Recipe | null> => {
      try {
        const recipe = await recipeFromModule(code, onProblem)
        this.#loaded.set(code, recipe)
        onLoaded()
        return recipe
      } catch (error) {
        onProblem(messageOf(error))
        return null
      }
    }
    const loading = load()
    this.#loading.set(code, loading)
    return loading
  }

  async #keep(cluster: ClusterName, code: string): Promise<void> {
    const { folder, onProblem } = this.#options
    if (this.#last.get(cluster) === code) return
    this.#last.set(cluster, code)
    if (folder === null) return
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const file = join(folder, `${cluster}.recipe`)
      const draft = `${file}.new`
      await writeFile(draft, code, { mode: 0o600 })
      await rename(draft, file)
    } catch (error) {
      onProblem(`the recipe of ${cluster} is not kept: ${messageOf(error)}`)
    }
  }
}
