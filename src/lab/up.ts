import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeLab } from './down.ts'
import { openLab } from './handle.ts'
import { powerOff, powerOn, waitForEngine } from './host.ts'
import { hostsFile } from './host-init.ts'
import type { Lab, OnProgress } from './lab.ts'
import { lockAllLabs, lockLab } from './lab-lock.ts'
import { checkMachine } from './machine.ts'
import { makeMountPoints } from './mount-points.ts'
import { checkHostCount, checkLabName } from './names.ts'
import { type LabNetwork, chooseOctet, labNetwork } from './network.ts'
import { observe } from './observe.ts'
import { hostFiles } from './paths.ts'
import { type Step, growState, planUp } from './plan.ts'
import { startRegistry } from './registry.ts'
import { type LabState, labNames, loadState, saveState } from './state.ts'
import { attach, createSwitch, machineRanges } from './switch.ts'

/**
 * Brings a lab up: makes what is missing, starts what is off, reconnects what is cut. A lab never
 * shrinks. Does nothing if all is well.
 */
export const labUp = async (options: {
  name?: string
  hosts?: number
  agent?: boolean
  onProgress?: OnProgress
}): Promise<Lab> => {
  const name = checkLabName(options.name ?? 'lab')
  const onProgress = options.onProgress ?? (() => undefined)
  checkMachine()
  const state = await bringUp(name, options, onProgress)
  await Promise.all(state.hosts.map((host) => waitForEngine(name, host)))
  return openLab(state)
}

const bringUp = async (
  name: string,
  wanted: { hosts?: number; agent?: boolean },
  onProgress: OnProgress,
): Promise<LabState> => {
  await using _lock = await lockLab(name, onProgress)
  const recorded = loadState(name)
  // Leftovers without a record are of no use.
  if (recorded === undefined) await removeLab(name, onProgress)
  const state = await recordState(name, recorded, {
    hosts: checkHostCount(wanted.hosts ?? recorded?.hosts.length ?? 3),
    agent: wanted.agent ?? true,
  })
  const observed = await observe(state)
  const grown = recorded !== undefined && recorded.hosts.length < state.hosts.length
  const steps = planUp(state, observed, { grown })
  await carryOut(state, steps, onProgress)
  return state
}

/** Chooses the network and writes down what the lab shall be, before anything of it exists. */
const recordState = async (
  name: string,
  recorded: LabState | undefined,
  wanted: { hosts: number; agent: boolean },
): Promise<LabState> => {
  await using _all = await lockAllLabs()
  await makeMountPoints()
  const others = labNames().flatMap((lab) => loadState(lab)?.octet ?? [])
  const octet = recorded?.octet ?? chooseOctet(await machineRanges(name), others)
  const state = growState(recorded, { name, octet, ...wanted })
  await saveState(state)
  return state
}

/** The steps of one host run in order, those of different hosts side by side, shared ones first. */
const carryOut = async (
  state: LabState,
  steps: readonly Step[],
  onProgress: OnProgress,
): Promise<void> => {
  const network = labNetwork(state.octet)
  const ofHosts = new Map<string, Step[]>()
  for (const step of steps) {
    if ('host' in step) {
      ofHosts.set(step.host, [...(ofHosts.get(step.host) ?? []), step])
    } else if (step.do === 'switch') {
      onProgress(`network ${network.subnet}`)
      await createSwitch(state.name, network)
    } else {
      onProgress('registry')
      await startRegistry(state.name, network)
    }
  }
  const results = await Promise.allSettled(
    [...ofHosts.values()].map(async (list) => {
      for (const step of list) {
        if (!('host' in step)) continue
        if (step.do !== 'names') onProgress(`${step.host}: ${step.do}`)
        await hostStep(state, network, step)
      }
    }),
  )
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

const hostStep = async (
  state: LabState,
  network: LabNetwork,
  step: Extract<Step, { host: string }>,
): Promise<void> => {
  const { host } = step
  switch (step.do) {
    case 'power on':
      return powerOn({ state, network }, host)
    case 'power off':
      return powerOff(state.name, host)
    case 'heal':
      await attach(state.name, host, true)
      return
    case 'names':
      // In place: the file is mounted in the host.
      return writeFile(
        join(hostFiles(state.name, host).dir, 'hosts'),
        hostsFile(network, state.hosts),
      )
  }
}
