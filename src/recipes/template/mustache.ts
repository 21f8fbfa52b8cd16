/** The part of Mustache that a list of servers needs. Pure. */
import { MusterError } from '../../base/index.ts'

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'variable'; name: string }
  /** Once for each item; `inverted`: once if there is none. */
  | { kind: 'section'; name: string; inverted: boolean; nodes: Node[] }

export type Variables = Readonly<Record<string, string>>

const TAG = /\{\{([#^/!]?)\s*([^{}]*?)\s*\}\}/g
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(:writer)?$/
/** A tag alone on its line leaves no empty line behind, as Mustache has it. */
const ALONE = /^[ \t]*(\{\{[#^/!][^{}]*\}\})[ \t]*(?:\r?\n|$)/gm

/**
 * Reads a template: `{{name}}`, `{{#list}}...{{/list}}`, `{{^list}}...{{/list}}` and `{{! remark}}`.
 *
 * @throws MusterError STACK_REFUSED for sections that do not match and names that are none
 */
export const parseTemplate = (template: string): Node[] => {
  const source = template.replace(ALONE, '$1')
  const root: Node[] = []
  const open: { name: string; nodes: Node[] }[] = []
  const add = (node: Node) => (open.at(-1)?.nodes ?? root).push(node)
  const refuse = (what: string) => new MusterError('STACK_REFUSED', `the template ${what}.`)
  let end = 0
  for (const tag of source.matchAll(TAG)) {
    if (tag.index > end) add({ kind: 'text', text: source.slice(end, tag.index) })
    end = tag.index + tag[0].length
    const [, sign = '', name = ''] = tag
    if (sign === '!') continue
    if (!NAME.test(name)) throw refuse(`has ${tag[0]}, which is no name`)
    if (sign === '/') {
      const last = open.pop()
      if (last?.name !== name) {
        throw refuse(`ends ${name}, but ${last ? `${last.name} is open` : 'nothing is open'}`)
      }
    } else if (sign === '') add({ kind: 'variable', name })
    else {
      const nodes: Node[] = []
      add({ kind: 'section', name, inverted: sign === '^', nodes })
      open.push({ name, nodes })
    }
  }
  const last = open.at(-1)
  if (last) throw refuse(`never ends ${last.name}`)
  if (end < source.length) root.push({ kind: 'text', text: source.slice(end) })
  return root
}

/** Names of the lists that a template goes through. */
export const listsOf = (nodes: readonly Node[]): string[] =>
  nodes.flatMap((node) => (node.kind === 'section' ? [node.name, ...listsOf(node.nodes)] : []))

/** Names of the variables that stand in no list, and in one. */
export const variablesOf = (
  nodes: readonly Node[],
  inList = false,
): { name: string; inList: boolean }[] =>
  nodes.flatMap((node) =>
    node.kind === 'variable'
      ? [{ name: node.name, inList }]
      : node.kind === 'section'
        ? variablesOf(node.nodes, inList || !node.inverted)
        : [],
  )

/** The text. What a variable has no value for is empty. */
export const renderTemplate = (
  nodes: readonly Node[],
  variables: Variables,
  list: (name: string) => readonly Variables[],
): string =>
  nodes
    .map((node) => {
      if (node.kind === 'text') return node.text
      if (node.kind === 'variable') return variables[node.name] ?? ''
      const items = list(node.name)
      if (node.inverted) {
        return items.length === 0 ? renderTemplate(node.nodes, variables, list) : ''
      }
      return items
        .map((item) => renderTemplate(node.nodes, { ...variables, ...item }, list))
        .join('')
    })
    .join('')
