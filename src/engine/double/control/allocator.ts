/** Gives networks their subnets, services their virtual IPs and tasks their addresses. */
import type { Attachment, NetworkRecord, ServiceRecord } from '../records.ts'
import type { Store } from '../store.ts'
import { compareStates } from '../states.ts'
import type { Control } from './context.ts'

/** Gives a network the subnet that it asks for, or the next of Swarm's default pool. */
export const allocateNetwork = (store: Store, id: string): void => {
  const networks = store.all('network')
  const wanted = store.get('network', id)?.request.IPAM?.Config?.[0]
  const used = new Set(networks.map(({ subnet }) => subnet))
  let number = 1
  while (used.has(`10.0.${number}.0/24`)) number += 1
  const subnet = wanted?.Subnet ?? `10.0.${number}.0/24`
  const gateway = wanted?.Gateway ?? subnet.replace(/\.\d+\/\d+$/, '.1')
  store.update('network', id, { subnet, gateway })
}

/** The next free address of a network; in order, so that one given back rests for a while. */
export const takeAddress = (store: Store, networkId: string): Attachment => {
  const network = store.get('network', networkId) as NetworkRecord
  const [base = '', prefix = '24'] = network.subnet.split('/')
  const size = 2 ** (32 - Number(prefix))
  for (let step = 1; step < size; step++) {
    const number = (network.lastAddress + step) % size
    // The network itself, its gateway and the broadcast address.
    if (number < 2 || number === size - 1) continue
    const address = `${addressAt(base, number)}/${prefix}`
    if (network.taken.has(address)) continue
    const taken = new Set(network.taken).add(address)
    store.update('network', networkId, { taken, lastAddress: number })
    return { networkId, address }
  }
  throw new Error(`network ${network.name} has no free address`)
}

export const giveBack = (store: Store, attachments: Attachment[]): void => {
  for (const { networkId, address } of attachments) {
    const network = store.get('network', networkId)
    if (network === undefined) continue
    const taken = new Set(network.taken)
    taken.delete(address)
    store.update('network', networkId, { taken })
  }
}

const addressAt = (base: string, number: number): string => {
  const [a = 0, b = 0, c = 0, d = 0] = base.split('.').map(Number)
  const whole = ((a << 24) | (b << 16) | (c << 8) | d) + number
  return [24, 16, 8, 0].map((shift) => (whole >>> shift) & 255).join('.')
}

/** Ids of the networks that a service's tasks join. */
export const networksOf = ({ spec }: Pick<ServiceRecord, 'spec'>): string[] =>
  (spec.TaskTemplate?.Networks ?? []).map(({ Target }) => Target ?? '')

/** One pass over everything that lacks an address. */
export const allocate = ({ store, clock }: Control): void => {
  for (const { id, subnet } of store.all('network')) {
    if (subnet === '') allocateNetwork(store, id)
  }
  for (const service of store.all('service')) allocateService(store, service)
  for (const task of store.all('task')) {
    if (task.status.state !== 'new') continue
    // A task that was given up before it was placed never will be.
    if (compareStates(task.desired, 'complete') > 0) {
      const status = { ...task.status, state: 'shutdown' as const, at: clock.wall() }
      store.update('task', task.id, { status })
      continue
    }
    const networks = (task.spec.Networks ?? []).map(({ Target }) => Target ?? '')
    store.update('task', task.id, {
      attachments: networks.map((id) => takeAddress(store, id)),
      status: {
        ...task.status,
        state: 'pending',
        at: clock.wall(),
        message: 'pending task scheduling',
      },
    })
  }
}

const allocateService = (store: Store, service: ServiceRecord): void => {
  const wanted = service.spec.EndpointSpec?.Mode === 'dnsrr' ? [] : networksOf(service)
  const kept = service.virtualIps.filter(({ networkId }) => wanted.includes(networkId))
  const missing = wanted.filter((id) => !kept.some(({ networkId }) => networkId === id))
  if (missing.length === 0 && kept.length === service.virtualIps.length) return
  giveBack(
    store,
    service.virtualIps.filter((address) => !kept.includes(address)),
  )
  const virtualIps = [...kept, ...missing.map((id) => takeAddress(store, id))]
  store.update('service', service.id, { virtualIps })
}
