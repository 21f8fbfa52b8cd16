/** A lab: several virtual hosts on this machine, each with its own engine. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError } from '../base/index.ts'
import { removeCgroups } from './cgroups.ts'
import { type ExecResult, execOnHost } from './exec.ts'
import { engineAnswers, powerOff, powerOn, waitForEngine } from './host.ts'
import { hostsFile } from './host-init.ts'
import { takeLock } from './lock.ts'
import { makeMountPoints, removeMountPoints } from './mount-points.ts'
import { ENGINE_SOCKET } from './engine-socket.ts'
import { checkMachine } from './machine.ts'
import { checkHostCount, checkLabName } from './names.ts'
import { type LabNetwork, chooseOctet, labNetwork } from './network.ts'
import { observe } from './observe.ts'
import { CACHE_DIR, hostFiles, labFiles } from './paths.ts'
import { type HostState, type Step, growState, hostState, planUp } from './plan.ts'
import { hostInit, killAll, labProcesses } from './processes.ts'
import { registryAddress, startRegistry } from './registry.ts'
import { run } from './run.ts'
import { type LabState, labNames, loadState, saveState } from './state.ts'
import { attach, createSwitch, machineRanges, removeSwitch } from './switch.ts'

/** Lines that say what is being done, before it is done. */
export type OnProgress = (line: string) => void

/** A host as `muster lab ls` shows it. */
export interface HostStatus {
  name: string
  state: HostState
  address: string
  /** Its engine answers. */
  docker: boolean
}

/** A lab as `muster lab ls` shows it. */
export interface LabStatus {
  name: string
  subnet: string
  /** The registry, as this machine reaches it. */
  registry: string
  hosts: HostStatus[]
}

/** A lab that is up. Disposing of it takes it down. */
export interface Lab extends AsyncDisposable {
  readonly name: string
  readonly hosts: readonly string[]
  readonly network: LabNetwork
  /** Address of a host, on the lab's network and from this machine. */
  address(host: string): string
  /** DOCKER_HOST of a host's engine, for use on this machine; changes with every start of the host. */
  dockerHost(host: string): string
  /** Where this machine sees a file of a running host; changes with every start of the host. */
  hostPath(host: string, path: string): string
  /** Runs a command on a host, with `muster` in its PATH. */
  exec(
    host: string,
    argv: readonly string[],
    options?: { timeoutMs?: number; input?: string; env?: Record<string, string> },
  ): Promise<ExecResult>
  /** Off the network, without the host's noticing. */
  cut(host: string): Promise<void>
  heal(host: string): Promise<void>
  /** The power cord. */
  kill(host: string): Promise<void>
  /** Power on; resolves when its engine answers. */
  start(host: string): Promise<void>
  status(): Promise<LabStatus>
  down(): Promise<void>
}

const LOCK_MS = 300_000

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
  await using _lock = await lockLab(name, onProgress)
  const recorded = loadState(name)
  const state = await recordState(name, recorded, {
    hosts: checkHostCount(options.hosts ?? recorded?.hosts.length ?? 3),
    agent: options.agent ?? true,
  })
  const observed = await observe(state)
  const grown = recorded !== undefined && recorded.hosts.length < state.hosts.length
  const steps = planUp(state, observed, { grown })
  await carryOut(state, steps, onProgress)
  await Promise.all(state.hosts.map((host) => waitForEngine(name, host)))
  return openLab(state)
}

/** Chooses the network and writes down what the lab shall be, before anything of it exists. */
const recordState = async (
  name: string,
  recorded: LabState | undefined,
  wanted: { hosts: number; agent: boolean },
): Promise<LabState> => {
  await using _all = await takeLock('labs', { timeoutMs: LOCK_MS })
  await makeMountPoints()
  const others = labNames().flatMap((lab) => loadState(lab)?.octet ?? [])
  const octet = recorded?.octet ?? chooseOctet(await machineRanges(name), others)
  const state = growState(recorded, { name, octet, ...wanted })
  await saveState(state)
  return state
}

const lockLab = async (name: string, onProgress: OnProgress): Promise<AsyncDisposable> => {
  const lock = await takeLock(`lab-${name}`, {
    timeoutMs: LOCK_MS,
    onWait: () => onProgress(`waiting for another command on lab ${name}`),
  })
  // What a killed command was in the middle of must not go on under our hands.
  await killAll(labProcesses(name).filter((process) => process.role === 'helper'))
  return lock
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

/**
 * Removes a lab and everything it left, whatever state it is in; false if there was nothing. With
 * `purge` also the images that were made, if no other lab is there.
 */
export const labDown = async (
  name: string,
  options: { purge?: boolean; onProgress?: OnProgress } = {},
): Promise<boolean> => {
  checkLabName(name)
  const onProgress = options.onProgress ?? (() => undefined)
  await using _lock = await lockLab(name, onProgress)
  const existed = labNames().includes(name)
  const state = loadState(name)
  const processes = labProcesses(name)
  if (processes.length > 0) onProgress('ending its processes')
  await killAll(processes.sort((a, b) => Number(b.init) - Number(a.init)))
  onProgress('removing its network and files')
  await removeSwitch(name, state && labNetwork(state.octet))
  await removeCgroups(name)
  await run(name, ['rm', '-rf', '--one-file-system', labFiles(name).dir], { timeoutMs: 120_000 })
  await using _all = await takeLock('labs', { timeoutMs: LOCK_MS })
  const others = labNames()
  if (others.length === 0) await removeMountPoints()
  if (options.purge && others.length > 0) {
    throw new MusterError('LAB', `The images stay: ${others.join(', ')} may use them.`, {
      hint: 'Take those labs down first.',
    })
  }
  if (options.purge) {
    await using _images = await takeLock('images', { timeoutMs: LOCK_MS })
    await run(name, ['rm', '-rf', '--one-file-system', CACHE_DIR])
  }
  return existed || processes.length > 0
}

/** The lab of that name, in whatever state it is. @throws MusterError NOT_FOUND */
export const findLab = (name: string): Lab => {
  const state = loadState(checkLabName(name))
  if (state) return openLab(state)
  throw new MusterError('NOT_FOUND', `There is no lab named ${name}.`, {
    hint: 'See which there are: muster lab ls. Make one: muster lab up',
  })
}

/** All labs of this machine. Ones whose record is unreadable are shown without hosts. */
export const listLabs = (): Promise<LabStatus[]> =>
  Promise.all(
    labNames().map(async (name) => {
      const state = loadState(name)
      return state ? labStatus(state) : { name, subnet: '', registry: '', hosts: [] }
    }),
  )

const labStatus = async (state: LabState): Promise<LabStatus> => {
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

const openLab = (state: LabState): Lab => {
  const lab = state.name
  const network = labNetwork(state.octet)
  const check = (host: string): string => {
    if (state.hosts.includes(host)) return host
    throw new MusterError('NOT_FOUND', `Lab ${lab} has no ${host}.`, {
      hint: `It has ${state.hosts.join(', ')}.`,
    })
  }
  const hostPath = (host: string, path: string): string => {
    const pid = hostInit(lab, check(host))
    if (pid !== undefined) return `/proc/${pid}/root${path}`
    throw new MusterError('LAB', `${host} is off.`, { hint: 'Switch it on: muster lab start' })
  }
  const locked = async (host: string, action: () => Promise<unknown>): Promise<void> => {
    check(host)
    await using _lock = await lockLab(lab, () => undefined)
    await action()
  }
  const cable = (host: string, attached: boolean) => async () => {
    const observed = await observe(state)
    if (observed.switch?.ports.has(host) !== true) {
      throw new MusterError('LAB', `${host} is off.`, { hint: 'Switch it on: muster lab start' })
    }
    await attach(lab, host, attached)
  }
  return {
    name: lab,
    hosts: state.hosts,
    network,
    address: (host) => network.host(check(host)),
    dockerHost: (host) => `unix://${hostPath(host, ENGINE_SOCKET)}`,
    hostPath,
    exec: async (host, argv, options) => execOnHost({ lab, host: check(host) }, argv, options),
    cut: (host) => locked(host, cable(host, false)),
    heal: (host) => locked(host, cable(host, true)),
    kill: (host) => locked(host, () => powerOff(lab, host)),
    start: async (host) => {
      await locked(host, async () => {
        if (!(await observe(state)).running.has(host)) await powerOn({ state, network }, host)
      })
      await waitForEngine(lab, host)
    },
    status: () => labStatus(state),
    down: async () => {
      await labDown(lab)
    },
    [Symbol.asyncDispose]: async () => {
      await labDown(lab)
    },
  }
}
