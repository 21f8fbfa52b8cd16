/** What a command has to do, from what the lab should be and what it is. Pure. */
import { hostNames } from './names.ts'
import type { LabState } from './state.ts'

/** What the kernel says about a lab. */
export interface Observed {
  switch: { uplink: boolean; ports: ReadonlyMap<string, boolean> } | undefined
  registry: boolean
  /** Hosts whose first process runs. */
  running: ReadonlySet<string>
}

/** One thing to do. */
export type Step =
  | { do: 'switch' }
  | { do: 'registry' }
  | { do: 'power off'; host: string }
  | { do: 'power on'; host: string }
  | { do: 'heal'; host: string }
  | { do: 'names'; host: string }

/** The state that `up` aims at: what was recorded, grown to the hosts that are asked for now. */
export const growState = (
  recorded: LabState | undefined,
  wanted: { name: string; hosts: number; agent: boolean; octet: number },
): LabState => ({
  version: 1,
  name: wanted.name,
  octet: recorded?.octet ?? wanted.octet,
  hosts: hostNames(Math.max(wanted.hosts, recorded?.hosts.length ?? 0)),
  agent: recorded?.agent ?? wanted.agent,
})

/**
 * Steps from `observed` to a lab in which everything that `state` names runs and is connected. Those
 * of different hosts may run side by side. `grown`: hosts were added, the others must learn names.
 */
export const planUp = (
  state: LabState,
  observed: Observed,
  options: { grown: boolean },
): Step[] => {
  const newSwitch = observed.switch === undefined || !observed.switch.uplink
  const steps: Step[] = []
  if (newSwitch) steps.push({ do: 'switch' })
  if (newSwitch || !observed.registry) steps.push({ do: 'registry' })
  for (const host of state.hosts) {
    const port = newSwitch ? undefined : observed.switch?.ports.get(host)
    if (!observed.running.has(host)) {
      steps.push({ do: 'power on', host })
    } else if (port === undefined) {
      // It lost its cable for good: only a fresh start gives it a new one.
      steps.push({ do: 'power off', host }, { do: 'power on', host })
    } else {
      if (!port) steps.push({ do: 'heal', host })
      if (options.grown) steps.push({ do: 'names', host })
    }
  }
  return steps
}

/** How a host is: off, running, or running but cut off. */
export type HostState = 'running' | 'cut' | 'off'

export const hostState = (observed: Observed, host: string): HostState => {
  if (!observed.running.has(host)) return 'off'
  return observed.switch?.ports.get(host) === true ? 'running' : 'cut'
}
