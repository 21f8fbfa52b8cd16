import { engineAnswers } from './host.ts'
import type { LabStatus } from './lab.ts'
import { labNetwork } from './network.ts'
import { observe } from './observe.ts'
import { hostState } from './plan.ts'
import { registryAddress } from './registry.ts'
import { type LabState, labNames, loadState } from './state.ts'

/** All labs of this machine. Ones whose record is unreadable are shown without hosts. */
export const listLabs = (): Promise<LabStatus[]> =>
  Promise.all(
    labNames().map(async (name) => {
      const state = loadState(name)
      return state ? labStatus(state) : { name, subnet: '', registry: '', hosts: [] }
    }),
  )

/** How a lab is right now. */
export const labStatus = async (state: LabState): Promise<LabStatus> => {
  const network = labNetwork(state.octet)
  const observed = await observe(state)
  return {
    name: state.name,
    subnet: network.subnet,
    registry: registryAddress(network),
    hosts: await Promise.all(
      state.hosts.map(async (host) => ({
        name: host,
        state: hostState(observed, host),
        address: network.host(host),
        docker: await engineAnswers(state.name, host),
      })),
    ),
  }
}
