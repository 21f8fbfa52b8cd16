import type { Clock } from '../base/index.ts'
import type { Catalog, ClusterName, Ledger, RecipeChoice } from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import type { Recipe } from '../recipes/index.ts'
import type { ActionContext } from './actions.ts'
import type { Decision, Facts } from './facts.ts'

export type LeaderEngine = Pick<
  Engine,
  | 'listServices'
  | 'listTasks'
  | 'listNodes'
  | 'listConfigs'
  | 'createConfig'
  | 'updateConfig'
  | 'createService'
  | 'updateService'
  | 'removeService'
  | 'inspectService'
  | 'listSecrets'
  | 'createSecret'
>

export interface LeaderOptions {
  engine: LeaderEngine
  /** Undefined while this manager has not seen the whole cluster yet. */
  catalog: () => Catalog | undefined
  /** The recipe of a clustered service; `choice` null: of one whose head is gone. */
  recipe: (asked: {
    cluster: ClusterName
    name: string
    choice: RecipeChoice | null
  }) => Promise<Recipe | undefined>
  decide: (facts: Facts) => Decision
  /** The ledger of a cluster that has none. */
  firstLedger: (cluster: ClusterName, recipe: string) => Ledger
  random: (bytes: number) => Buffer
  /** Credentials for the registry of an image: of this host, where others have none to give. */
  registryAuth: ActionContext['registryAuth']
  /** Runs a command in a container of a host. */
  run: ActionContext['run']
  clock: Clock
  /** Milliseconds since 1970. */
  wallClock: () => number
  /** What was decided and why, when it is something else than before. */
  onDecision: (cluster: ClusterName, explain: readonly string[]) => void
  onProblem: (text: string) => void
}
