/**
 * Recipes for ordinary services whose files are made from what the cluster looks like now: all
 * containers are alike and keep nothing. A recipe of this kind renders, and says how its software
 * reads its files again.
 */
import type { RenderedFile } from '../recipe.ts'

/** A container that takes traffic, as one that is on the same network may reach it. */
export interface SeenServer {
  /** `db-1` for a member, `web.2.x7` for a replica: unique among those of its service. */
  name: string
  address: string
  /** Name of its host. */
  host: string
  /** It takes the writes. False where there is no writer. */
  writer: boolean
  /** Only for when nobody else does: it is busy with giving its state to another. */
  backup: boolean
}

/** A service as it is now. */
export interface SeenService {
  /** As the file calls it. */
  name: string
  /** Who gets new connections. Sorted by name. */
  servers: SeenServer[]
  /** Who may keep open connections: also those that are about to stop. Sorted by name. */
  keeps: SeenServer[]
  /** Ports that lead to the writer alone. */
  writerPorts: readonly number[]
}

/** A container as it sees itself. */
export interface Self {
  /** `web.2.x7`, as the others know it. */
  name: string
  /** Number of the replica, which its successor has too; 0 in a service with one on each host. */
  slot: number
  /** Name of its host. */
  host: string
}

/** What may be seen from a service. */
export interface View {
  /** Full name of the service that looks. */
  service: string
  /** The container that looks; null where all of a host have the same files. */
  self: Self | null
  /** A service of the same stack, or any by its full name. Null: there is none, or no common network. */
  find: (name: string) => SeenService | null
}

/** How running software is made to read its files again; null: it notices by itself. */
export type Reload = { signal: string } | { command: string[] } | null

/** What the recipe may ask of the file. */
export interface FromFile {
  environment: ReadonlyMap<string, string>
  /** Text of an entry in `configs`; null if there is none, or none with text. */
  config: (name: string) => string | null
}

export interface RenderedRecipe {
  name: string
  /** Names of images that it is for, if `claims` agrees. */
  images: string[]
  /** Whether a service with such an image wants it although the file does not say so. */
  claims: (environment: ReadonlyMap<string, string>) => boolean
  /** Checks the recipe's options and the service's environment; throws MusterError for people. */
  options: (given: Record<string, unknown>, file: FromFile) => Record<string, unknown>
  /** Its containers have different files, although they are of one service: they show which it is. */
  ownFiles?: (options: Record<string, unknown>) => boolean
  /** Null: the image's own. Files are under /muster, read-only. */
  entrypoint: string[] | null
  render: (view: View, options: Record<string, unknown>) => RenderedFile[]
  reload: (options: Record<string, unknown>) => Reload
}

/** The container label `muster.files`. */
export interface RenderedChoice {
  recipe: string
  /** As the recipe has checked them. */
  options: Record<string, unknown>
}
