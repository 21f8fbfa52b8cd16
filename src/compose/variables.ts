import type { Node } from './node.ts'
import { variablesIn } from './template.ts'

/** A variable that a project's files name. */
export interface ProjectVariable {
  name: string
  /** True: `${NAME:?...}`; loading fails without it. */
  required: boolean
  /** Of `${NAME:-default}`. */
  default: string
  /** Of `${NAME:+alternate}`. */
  alternate: string
}

/** The variables of a tree that was loaded with `interpolate: false`, by name. */
export const projectVariables = (tree: Node): ProjectVariable[] => {
  const found = new Map<string, ProjectVariable>()
  const visit = (node: Node): void => {
    if (node.kind === 'list') for (const item of node.items) visit(item)
    else if (node.kind === 'map') for (const { value } of node.entries.values()) visit(value)
    else if (typeof node.value === 'string')
      for (const { name, operator, operand = '' } of variablesIn(node.value)) {
        const known = found.get(name) ?? { name, required: false, default: '', alternate: '' }
        const kind = operator?.at(-1)
        found.set(name, {
          name,
          required: known.required || kind === '?',
          default: known.default || (kind === '-' ? operand : ''),
          alternate: known.alternate || (kind === '+' ? operand : ''),
        })
      }
  }
  visit(tree)
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
