import type { NodeRecord } from '../records.ts'

export interface Constraint {
  key: string
  equal: boolean
  value: string
}

const KEY =
  /^(node\.(id|hostname|ip|role|platform\.(os|arch)|labels\.[a-z0-9_.-]+)|engine\.labels\.[a-z0-9_.-]+)$/i

/**
 * Parses `node.labels.disk==ssd`.
 * @throws Error with the engine's text
 */
export const parseConstraint = (text: string): Constraint => {
  const [, key, operator, value] = /^\s*(\S*?)\s*(==|!=)\s*(.*?)\s*$/.exec(text) ?? []
  if (key === undefined || operator === undefined || value === undefined) {
    throw new Error('constraint expected one operator from ==, !=')
  }
  if (!KEY.test(key)) throw new Error(`key '${key}' is invalid`)
  if (value === '') throw new Error(`value '${value}' is invalid`)
  return { key, equal: operator === '==', value }
}

const valueOf = (key: string, node: NodeRecord): string => {
  const label = /^node\.labels\.(.*)$/i.exec(key)?.[1]
  if (label !== undefined) return node.spec.Labels?.[label] ?? ''
  switch (key.toLowerCase()) {
    case 'node.id':
      return node.id
    case 'node.hostname':
      return node.hostname
    case 'node.ip':
      return node.address
    case 'node.role':
      return node.spec.Role ?? ''
    case 'node.platform.os':
      return 'linux'
    case 'node.platform.arch':
      return 'x86_64'
    default:
      return ''
  }
}

/** Whether a host satisfies all of them. */
export const meetsConstraints = (constraints: string[], node: NodeRecord): boolean =>
  constraints.map(parseConstraint).every(({ key, equal, value }) => {
    const same = valueOf(key, node).toLowerCase() === value.toLowerCase()
    return same === equal
  })
