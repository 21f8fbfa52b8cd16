import { get, mapItems, mapValues, scalar, withKey, type MapNode, type Node } from './node.ts'

/** Small changes of trees, and how they are put together. */
export type Change = (node: Node) => Node

/** Changes every value of a map or item of a list. */
export const each =
  (to: Change): Change =>
  (node) =>
    node.kind === 'map' ? mapValues(node, to) : node.kind === 'list' ? mapItems(node, to) : node

/** Changes the values of some keys, where they are there. */
export const fields =
  (changes: Readonly<Record<string, Change>>): Change =>
  (node) => {
    if (node.kind !== 'map') return node
    let result: MapNode = node
    for (const [key, to] of Object.entries(changes)) {
      const value = get(node, key)
      const changed = value && to(value)
      if (changed && changed !== value) result = withKey(result, key, changed)
    }
    return result
  }

/** One after the other. */
export const chain =
  (...changes: Change[]): Change =>
  (node) =>
    changes.reduce((value, change) => change(value), node)

/** Sets a key that is not there; what it says is placed where its owner is. */
export const set =
  (key: string, value: string | number | boolean): Change =>
  (node) =>
    node.kind === 'map' && !node.entries.has(key)
      ? withKey(node, key, scalar(value, node.at))
      : node
