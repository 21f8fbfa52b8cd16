import type { Network, Stack } from '../compose/index.ts'
import { LABEL } from '../base/index.ts'
import { apiAtLeast } from './check.ts'
import type { DesiredNetwork } from './desired.ts'

/** Drivers whose options are those of an overlay. */
const OVERLAY = new Set(['overlay', 'default', ''])

/**
 * The networks of a stack: overlays that the edges can join. A network written as `bridge` becomes
 * an overlay too, because its services may be on different hosts.
 */
export const desiredNetworks = (
  stack: Stack,
  options: { api: string; notes: string[] },
): DesiredNetwork[] =>
  usedNetworks(stack).map(([key, network]) => {
    if (network.external) {
      return { name: network.name, external: true, request: { Name: network.name } }
    }
    if (network.driver === 'bridge') {
      options.notes.push(
        `network ${key}: an overlay instead of bridge, so that it spans all hosts${
          network.driver_opts === undefined ? '' : '; its driver_opts are left out'
        }.`,
      )
    }
    return {
      name: network.name,
      external: false,
      request: request(stack.name, network, options.api),
    }
  })

/** A network that no service is on would only take addresses. */
const usedNetworks = (stack: Stack): [string, Network][] => {
  const used = new Set(
    Object.values(stack.services).flatMap((service) => {
      const names = Object.keys(service.networks ?? {})
      return names.length > 0 ? names : service.network_mode === 'host' ? [] : ['default']
    }),
  )
  return Object.entries(stack.networks).filter(([key]) => used.has(key))
}

const request = (stack: string, network: Network, api: string): DesiredNetwork['request'] => {
  const ipam = ipamOf(network)
  return {
    Name: network.name,
    // Of other drivers the table of keys lets only those pass that are tolerated.
    Driver: 'overlay',
    Attachable: true,
    ...(network.internal ? { Internal: true } : {}),
    ...(network.enable_ipv6 ? { EnableIPv6: true } : {}),
    ...(network.enable_ipv4 === false && apiAtLeast(api, '1.48') ? { EnableIPv4: false } : {}),
    ...(network.driver_opts === undefined || !OVERLAY.has(network.driver ?? '')
      ? {}
      : { Options: network.driver_opts }),
    ...(ipam === undefined ? {} : { IPAM: ipam }),
    Labels: { ...network.labels, [LABEL.stack]: stack },
  }
}

const ipamOf = (network: Network): DesiredNetwork['request']['IPAM'] => {
  const { driver, config, options } = network.ipam ?? {}
  const pools = (config ?? []).map((pool) => ({
    ...(pool.subnet === undefined ? {} : { Subnet: pool.subnet }),
    ...(pool.ip_range === undefined ? {} : { IPRange: pool.ip_range }),
    ...(pool.gateway === undefined ? {} : { Gateway: pool.gateway }),
    ...(pool.aux_addresses === undefined ? {} : { AuxiliaryAddresses: pool.aux_addresses }),
  }))
  if (driver === undefined && pools.length === 0 && options === undefined) return undefined
  return {
    ...(driver === undefined ? {} : { Driver: driver }),
    ...(pools.length > 0 ? { Config: pools } : {}),
    ...(options === undefined ? {} : { Options: options }),
  }
}
