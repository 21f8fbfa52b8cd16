/** The switch of a lab: a bridge in a network namespace of its own, with a cable to the machine. */
import { readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import type { LabNetwork, Range } from './network.ts'
import { parseRange } from './network.ts'
import { labFiles } from './paths.ts'
import { run } from './run.ts'

const BRIDGE = 'switch'
/** The switch's end of the cable to the machine. */
const UPLINK = 'uplink'
const READ = { role: 'reader' } as const

/** What is plugged into a switch. */
export interface SwitchState {
  /** The cable to the machine is there. */
  uplink: boolean
  /** Hosts whose cable exists; true if it carries anything. */
  ports: ReadonlyMap<string, boolean>
}

/** argv that runs a program in the switch's network. */
export const inSwitch = (lab: string, argv: readonly string[]): string[] => [
  'nsenter',
  `--net=${labFiles(lab).switch}`,
  ...argv,
]

const ip = (lab: string, lines: readonly string[]): Promise<string> =>
  run(lab, inSwitch(lab, ['ip', '-batch', '-']), { input: `${lines.join('\n')}\n` })

/** Whether the namespace is mounted. After a crash or a restart of the machine it may be a mere file. */
const switchMounted = (lab: string): boolean =>
  readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${labFiles(lab).switch} `)

export const createSwitch = async (lab: string, network: LabNetwork): Promise<void> => {
  const file = labFiles(lab).switch
  if (!switchMounted(lab)) {
    await (await open(file, 'a')).close()
    await run(lab, ['unshare', `--net=${file}`, 'true'])
  }
  // A first try may have got anywhere: begin anew.
  await removeLinks(lab, network)
  await ip(lab, [
    'link set lo up',
    `link add ${BRIDGE} type bridge forward_delay 0`,
    `addr add ${network.registry}/24 dev ${BRIDGE}`,
    `link set ${BRIDGE} up`,
  ])
  // Made from the machine's side, which has no name for that namespace but its file.
  const link = network.machineLink
  await run(lab, ['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', UPLINK, 'netns', file])
  await run(lab, ['ip', 'addr', 'add', `${network.machine}/24`, 'dev', link])
  await run(lab, ['ip', 'link', 'set', link, 'up'])
  // Last, because this is what says that the switch is whole (observeSwitch).
  await ip(lab, [`link set ${UPLINK} up`, `link set ${UPLINK} master ${BRIDGE}`])
}

const removeLinks = async (lab: string, network: LabNetwork): Promise<void> => {
  const links = await linksOf(lab)
  // Only our own: some kernels put tunnels into every namespace that cannot be deleted.
  const ours = [...links.keys()].filter(
    (name) => name === BRIDGE || name === UPLINK || name.startsWith('host-'),
  )
  const lines = ours.map((name) => `link del ${name}`)
  if (lines.length > 0) await ip(lab, lines)
  await removeMachineLink(lab, network)
}

const removeMachineLink = async (lab: string, network: LabNetwork): Promise<void> => {
  const links = Links.parse(JSON.parse(await run(lab, ['ip', '-json', 'link'], READ)))
  if (links.some((link) => link.ifname === network.machineLink)) {
    await run(lab, ['ip', 'link', 'del', network.machineLink])
  }
}

/** Takes the switch away, as far as it exists. `network` is unknown when the lab's state is lost. */
export const removeSwitch = async (lab: string, network: LabNetwork | undefined): Promise<void> => {
  const file = labFiles(lab).switch
  if (switchMounted(lab)) {
    const links = await linksOf(lab)
    // Deleting one end of a cable deletes the other one.
    if (links.has(UPLINK)) await ip(lab, [`link del ${UPLINK}`])
    await run(lab, ['umount', file])
  }
  if (network) await removeMachineLink(lab, network)
}

const Links = z.array(z.object({ ifname: z.string(), master: z.string().optional() }))

/** Links in the switch, each with whether it is attached to the bridge. */
const linksOf = async (lab: string): Promise<Map<string, boolean>> => {
  const json = await run(lab, inSwitch(lab, ['ip', '-json', 'link']), READ)
  return new Map(Links.parse(JSON.parse(json)).map((link) => [link.ifname, link.master === BRIDGE]))
}

/** Undefined if there is no switch. */
export const observeSwitch = async (lab: string): Promise<SwitchState | undefined> => {
  if (!switchMounted(lab)) return undefined
  const links = await linksOf(lab)
  if (!links.has(BRIDGE)) return undefined
  return {
    uplink: links.get(UPLINK) === true,
    ports: new Map([...links].filter(([name]) => name.startsWith('host-'))),
  }
}

/** Plugs a cable from the switch into the network namespace of a process, where it is eth0. */
export const plugIn = (
  lab: string,
  host: { name: string; mac: string; pid: number },
): Promise<string> =>
  ip(lab, [
    `link add ${host.name} type veth peer name eth0 address ${host.mac} netns ${host.pid}`,
    `link set ${host.name} master ${BRIDGE}`,
    `link set ${host.name} up`,
  ])

/** Cuts a host off without its noticing, or reattaches it. */
export const attach = (lab: string, host: string, attached: boolean): Promise<string> =>
  ip(lab, [`link set ${host} ${attached ? `master ${BRIDGE}` : 'nomaster'}`])

/** Takes a host's cable away, if there is one. */
export const unplug = async (lab: string, host: string): Promise<void> => {
  if ((await linksOf(lab)).has(host)) await ip(lab, [`link del ${host}`])
}

/** Every range of addresses that the machine has or routes to. */
export const machineRanges = async (lab: string): Promise<Range[]> => {
  const Routes = z.array(z.object({ dst: z.string() }))
  const json = await run(lab, ['ip', '-json', '-4', 'route', 'show', 'table', 'all'], READ)
  return Routes.parse(JSON.parse(json)).flatMap((route) => parseRange(route.dst) ?? [])
}
