import type { ModelPath } from './model.ts'
import type { Entry, Node } from './node.ts'
import type { Spot } from './problems.ts'

/** The entry at a path of a tree, or the nearest one above it that was written. */
export const entryAt = (tree: Node, path: ModelPath): Entry => {
  let found: Entry = { value: tree }
  let node: Node | undefined = tree
  for (const part of path) {
    let entry: Entry | undefined
    if (node?.kind === 'map') entry = node.entries.get(String(part))
    else if (node?.kind === 'list' && typeof part === 'number' && node.items[part])
      entry = { value: node.items[part] }
    if (!entry) break
    if (entry.value.at) found = entry
    node = entry.value
  }
  return found
}

/** The same as a spot for a problem; a whole service is shown at its name. */
export const spotAt = (tree: Node, path: ModelPath): Spot => {
  const { value, key } = entryAt(tree, path)
  const at = path.length === 2 && key ? key : value.at
  return { path, where: { at, key } }
}
