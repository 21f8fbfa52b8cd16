import { decode } from './decode.ts'
import { entryAt } from './locate.ts'
import type { Config, Model, Network, Secret, Service, Stack, Volume } from './model.ts'
import { get, stringOf, toPlain, type Node } from './node.ts'
import type { Problems } from './problems.ts'
import { CONTENT_KEY } from './resolve-environment.ts'
import type { Shape } from './shape.ts'
import {
  configShape,
  modelShape,
  networkShape,
  secretShape,
  serviceShape,
  volumeShape,
} from './shapes.ts'
import { locationOf } from './source.ts'

/** A canonical tree, and what belongs to its project. */
export interface LoadedTree {
  name: string
  tree: Node
  environment: ReadonlyMap<string, string>
  projectDirectory: string
  profiles: readonly string[]
  problems: Problems
}

/** The typed form of a whole tree; all services are active in it. */
export const decodeStack = (loaded: LoadedTree): Stack => {
  const { tree, problems } = loaded
  const all = <T>(kind: string, shape: Shape): Record<string, T> => {
    const node = get(tree, kind)
    if (node?.kind !== 'map') return {}
    return Object.fromEntries(
      [...node.entries].map(([name, { value }]) => [
        name,
        decode(value, shape, { path: [kind, name], problems }) as T,
      ]),
    )
  }
  const entries = tree.kind === 'map' ? [...tree.entries] : []
  return {
    name: loaded.name,
    services: all<Service>('services', serviceShape),
    networks: all<Network>('networks', networkShape),
    volumes: all<Volume>('volumes', volumeShape),
    configs: withContent(all<Config>('configs', configShape), get(tree, 'configs')),
    secrets: withContent(all<Secret>('secrets', secretShape), get(tree, 'secrets')),
    models: all<Model>('models', modelShape),
    extensions: Object.fromEntries(
      entries
        .filter(([key]) => key.startsWith('x-'))
        .map(([key, { value }]) => [key, toPlain(value)]),
    ),
    disabledServices: {},
    environment: Object.fromEntries(loaded.environment),
    projectDirectory: loaded.projectDirectory,
    warnings: [],
    locate: (path) => {
      const { value, key } = entryAt(tree, path)
      return value.at && locationOf(value.at, key)
    },
  }
}

/** Gives those that come from a variable its value. */
const withContent = <T extends Config>(
  all: Record<string, T>,
  nodes: Node | undefined,
): Record<string, T> => {
  for (const [name, one] of Object.entries(all)) {
    const content = stringOf(get(get(nodes, name), CONTENT_KEY))
    if (content !== undefined) one.content = content
  }
  return all
}
