import { LABEL } from '../base/index.ts'
import type { Network } from '../engine/index.ts'
import { sameCanonical } from './canonical.ts'
import { type Current, ownedBy } from './current.ts'
import type { DesiredNetwork, SettledStack } from './desired.ts'
import { baseName } from './files.ts'

/** Something that keeps a stack from being deployed. */
export interface Refusal {
  group: 'networks' | 'configs' | 'secrets'
  /** Name in the engine. */
  name: string
  message: string
  hint: string
}

/** What Swarm cannot change, and external objects that are not there. Pure. */
export const planRefusals = (settled: SettledStack, current: Current): Refusal[] => [
  ...networkRefusals(settled, current),
  ...fileRefusals(settled, current),
]

const networkRefusals = (settled: SettledStack, current: Current): Refusal[] =>
  settled.networks.flatMap((network): Refusal[] => {
    const there = current.networks.find((each) => each.Name === network.name)
    const about = { group: 'networks', name: network.name } as const
    if (network.external) {
      return there === undefined
        ? [
            {
              ...about,
              message: `The external network "${network.name}" does not exist in the cluster.`,
              hint: `Create it: docker network create -d overlay --attachable ${network.name}`,
            },
          ]
        : []
    }
    if (there === undefined) return []
    if (!ownedBy(settled.name, there.Labels)) {
      const owner = there.Labels?.[LABEL.stack]
      return [
        {
          ...about,
          message: `The network "${network.name}" exists already and belongs to ${owner === undefined ? 'no stack' : `stack ${owner}`}.`,
          hint: 'Use it with external: true, or give the network of this stack another name.',
        },
      ]
    }
    const changes = networkChanges(network, there)
    return changes.length === 0
      ? []
      : [
          {
            ...about,
            message: `Swarm cannot change the network "${network.name}" while it exists: ${changes.join(', ')}.`,
            hint: `Give it another name, or remove the stack first: muster down ${settled.name}`,
          },
        ]
  })

/** What differs between a network as it is wanted and as it is. */
const networkChanges = (network: DesiredNetwork, there: Network): string[] => {
  const { request } = network
  const compare = (name: string, before: unknown, after: unknown) =>
    sameCanonical(before, after)
      ? []
      : [`${name} ${JSON.stringify(before)} -> ${JSON.stringify(after)}`]
  // The engine adds options and pools of its own: only what the file asks for has to be there.
  const options = Object.entries(request.Options ?? {}).flatMap(([key, value]) =>
    compare(`driver_opts.${key}`, there.Options?.[key] ?? null, value),
  )
  const pools = (request.IPAM?.Config ?? []).flatMap((pool) =>
    pool.Subnet === undefined ||
    (there.IPAM?.Config ?? []).some((each) => each.Subnet === pool.Subnet)
      ? []
      : [`ipam gets subnet ${pool.Subnet}`],
  )
  return [
    ...compare('driver', there.Driver ?? '', request.Driver ?? 'overlay'),
    ...compare('attachable', there.Attachable ?? false, request.Attachable ?? false),
    ...compare('internal', there.Internal ?? false, request.Internal ?? false),
    ...compare('enable_ipv6', there.EnableIPv6 ?? false, request.EnableIPv6 ?? false),
    ...options,
    ...pools,
  ]
}

const fileRefusals = (settled: SettledStack, current: Current): Refusal[] =>
  settled.files.flatMap((file): Refusal[] => {
    const exists = current[`${file.kind}s`].some((each) => each.Spec.Name === file.name)
    if (exists) return []
    const about = { group: `${file.kind}s`, name: file.name } as const
    if (file.external) {
      return [
        {
          ...about,
          message: `The external ${file.kind} "${file.name}" does not exist in the cluster.`,
          hint: `Create it: docker ${file.kind} create ${file.name} FILE`,
        },
      ]
    }
    return file.data === undefined && file.driver === undefined
      ? [
          {
            ...about,
            message: `The ${file.kind} "${baseName(file.name)}" of that revision is no longer in the cluster.`,
            hint: 'Deploy from the files instead: muster up.',
          },
        ]
      : []
  })
