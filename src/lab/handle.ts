import { MusterError } from '../base/index.ts'
import { labDown } from './down.ts'
import { ENGINE_SOCKET } from './engine-socket.ts'
import { execOnHost } from './exec.ts'
import { powerOff, powerOn, waitForEngine } from './host.ts'
import type { Lab } from './lab.ts'
import { lockLab } from './lab-lock.ts'
import { checkLabName } from './names.ts'
import { labNetwork } from './network.ts'
import { observe } from './observe.ts'
import { hostInit } from './processes.ts'
import { type LabState, loadState } from './state.ts'
import { labStatus } from './status.ts'
import { attach } from './switch.ts'

/** The lab of that name, in whatever state it is. @throws MusterError NOT_FOUND */
export const findLab = (name: string): Lab => {
  const state = loadState(checkLabName(name))
  if (state) return openLab(state)
  throw new MusterError('NOT_FOUND', `There is no lab named ${name}.`, {
    hint: 'See which there are: muster lab ls. Make one: muster lab up',
  })
}

/** What a lab can be asked and told. */
export const openLab = (state: LabState): Lab => {
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
