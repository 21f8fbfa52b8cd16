import { chain, each, fields, set, type Change } from './edit.ts'
import { get, isNull, mapItems, stringOf } from './node.ts'

const secretTarget: Change = (node) => {
  const source = stringOf(get(node, 'source'))
  return source === undefined ? node : set('target', `/run/secrets/${source}`)(node)
}

const deviceCount: Change = (node) => (get(node, 'device_ids') ? node : set('count', -1)(node))

/** `dns: ${UNSET}` asks for no server, not for one without an address. */
const withoutEmpty: Change = (node) =>
  node.kind === 'list'
    ? mapItems(node, (item) => (isNull(item) || stringOf(item) === '' ? undefined : item))
    : node

const service = fields({
  build: set('context', '.'),
  dns: withoutEmpty,
  secrets: each(secretTarget),
  ports: each(chain(set('protocol', 'tcp'), set('mode', 'ingress'))),
  gpus: each(deviceCount),
  volumes: each(fields({ bind: set('create_host_path', true) })),
  deploy: fields({ resources: fields({ reservations: fields({ devices: each(deviceCount) }) }) }),
})

/** The values that the specification gives to what nobody wrote. */
export const withDefaults: Change = fields({ services: each(service) })
