import { get, isNull, mapValues, scalar, stringOf, withKey, type Node } from './node.ts'

/** Where configs and secrets keep the value of their variable; an `x-` key may be anywhere. */
export const CONTENT_KEY = 'x-#content'

/**
 * Gives the variables that are named without a value the value of their file's environment, and
 * configs and secrets from a variable its content.
 */
export const resolveEnvironment = (node: Node, environment: ReadonlyMap<string, string>): Node => {
  const variable = (value: Node, name: string): Node => {
    const found = isNull(value) ? environment.get(name) : undefined
    return found === undefined ? value : scalar(found, value.at)
  }
  const service = (value: Node): Node => {
    const own = get(value, 'environment')
    return value.kind === 'map' && own?.kind === 'map'
      ? withKey(value, 'environment', mapValues(own, variable))
      : value
  }
  const content = (value: Node): Node => {
    const source = get(value, 'environment')
    const found = environment.get(stringOf(source) ?? '')
    if (value.kind !== 'map' || found === undefined || value.entries.has(CONTENT_KEY)) return value
    return withKey(value, CONTENT_KEY, scalar(found, source?.at))
  }
  const change: Record<string, (value: Node) => Node> = {
    services: service,
    configs: content,
    secrets: content,
  }
  if (node.kind !== 'map') return node
  return mapValues(node, (value, kind) => {
    const to = Object.hasOwn(change, kind) ? change[kind] : undefined
    return to && value.kind === 'map' ? mapValues(value, to) : value
  })
}
