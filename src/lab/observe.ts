import { labNetwork } from './network.ts'
import type { Observed } from './plan.ts'
import { labProcesses } from './processes.ts'
import { registryAnswers } from './registry.ts'
import type { LabState } from './state.ts'
import { observeSwitch } from './switch.ts'

/** What there is of a lab right now, from the kernel and not from memory. */
export const observe = async (state: LabState): Promise<Observed> => {
  const processes = labProcesses(state.name)
  const [switchState, registry] = await Promise.all([
    observeSwitch(state.name),
    processes.some((process) => process.role === 'registry')
      ? registryAnswers(labNetwork(state.octet))
      : false,
  ])
  return {
    switch: switchState,
    registry,
    running: new Set(processes.filter((process) => process.init).map((process) => process.role)),
  }
}
