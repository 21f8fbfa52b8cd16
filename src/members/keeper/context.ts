import type { Clock } from '../../base/index.ts'
import type { Catalog, HostId, NetworkId, RecipeChoice } from '../../catalog/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Recipe, Start } from '../../recipes/index.ts'
import type { VolumeStore } from '../../volumes/index.ts'
import type { HelperEngine } from './helper.ts'
import type { Permit, Stand } from './permission.ts'

export type KeeperEngine = HelperEngine & Pick<Engine, 'exec' | 'inspectNetwork' | 'stopContainer'>

/** The recipe of a clustered service; undefined: there is none, or it is not at hand yet. */
export type RecipeFinder = (asked: {
  cluster: string
  name: string
  choice: RecipeChoice | null
}) => Recipe | undefined

/** What all members of a host have in common. */
export interface KeeperContext {
  engine: KeeperEngine
  store: VolumeStore
  recipe: RecipeFinder
  permit: Permit
  stand: Stand
  clock: Clock
  /** This host; null while it is in no swarm. */
  host: () => HostId | null
  /** What this host acts on; null while nothing is known. */
  catalog: () => Catalog | null
  /** Where a container is, on each overlay network. */
  addresses: (container: string) => Record<NetworkId, string>
  /** A report is another one than before. */
  onChange: () => void
  onEvent: (event: KeeperEvent) => void
}

export type KeeperEvent =
  | { type: 'passed'; member: string; start: Start['kind']; epoch: number; waitedMs: number }
  | { type: 'waiting'; member: string; reason: string }
  | { type: 'refused'; member: string; reason: string; waitedMs: number }
  | { type: 'founded'; member: string; epoch: number }
  | { type: 'promoted'; member: string; epoch: number }
  | { type: 'stopped'; member: string; reason: string }
  | { type: 'problem'; member: string; reason: string }
