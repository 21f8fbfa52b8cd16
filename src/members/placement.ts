/** On which hosts members may be. Pure. */
import type { Node, ServiceSpec } from '../engine/index.ts'

/** Hosts that take tasks and that the head's constraints allow; by id. */
export const allowedHosts = (head: ServiceSpec, nodes: readonly Node[]): Node[] => {
  const constraints = head.TaskTemplate?.Placement?.Constraints ?? []
  return nodes.filter((node) => constraints.every((each) => meets(each, node)))
}

/** One constraint of Swarm: `node.labels.disk==ssd`. One that is not understood is met by none. */
const meets = (constraint: string, node: Node): boolean => {
  const [, key = '', operator, value = ''] =
    /^\s*(\S+?)\s*(==|!=)\s*(.*?)\s*$/.exec(constraint) ?? []
  if (operator === undefined) return false
  const actual = valueOf(key, node)
  if (actual === undefined) return false
  // Swarm compares without regard to case.
  return (actual.toLowerCase() === value.toLowerCase()) === (operator === '==')
}

const valueOf = (key: string, node: Node): string | undefined => {
  const [, group, label = ''] = /^(node|engine)\.labels\.(.+)$/i.exec(key) ?? []
  if (group?.toLowerCase() === 'node') return node.Spec.Labels?.[label] ?? ''
  if (group !== undefined) return node.Description?.Engine?.Labels?.[label] ?? ''
  switch (key.toLowerCase()) {
    case 'node.id':
      return node.ID
    case 'node.hostname':
      return node.Description?.Hostname ?? ''
    case 'node.ip':
      return node.Status?.Addr ?? ''
    case 'node.role':
      return node.Spec.Role ?? ''
    case 'node.platform.os':
      return node.Description?.Platform?.OS ?? ''
    case 'node.platform.arch':
      return node.Description?.Platform?.Architecture ?? ''
    default:
      return undefined
  }
}
