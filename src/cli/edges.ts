/** Whether the edges of all hosts serve what is published: `up` says so only when they do. */
import { type AgentClient, type HostStatus, connectAgent } from '../agent/index.ts'
import { type Clock, MusterError, systemClock } from '../base/index.ts'
import type { Catalog, CatalogHost } from '../catalog/index.ts'
import { edgeConfig, missing } from '../edge/index.ts'
import { labelledPorts, labelledRoutes } from '../stack/index.ts'

export interface EdgeVerdict {
  /** What edges cannot have, in words: `port 80 of host-2 is taken by another process`. */
  blocked: string[]
  /** Hosts that did not serve all of it in time, and what was missing. */
  late: { host: string; reason: string }[]
}

const SERVED: EdgeVerdict = { blocked: [], late: [] }

/** Joining an overlay network takes an engine seconds when there are many. */
const LIMIT_MS = 20_000
const LOOK_EVERY_MS = 200
const SILENCE_MS = 2000

/** TCP ports that the edges publish for services with these labels, but for those of single addresses. */
export const edgePorts = (labels: readonly (Record<string, string> | undefined)[]): number[] => [
  ...labels
    .flatMap((each) => labelledPorts(each))
    // What is bound to one address may share its port with others.
    .filter((port) => port.hostIp === undefined)
    .map((port) => port.published),
  ...labels.flatMap((each) => labelledRoutes(each)).map((route) => route.published),
]

type EdgeAsker = Pick<AgentClient, 'catalog' | 'edge'>

/**
 * Waits until the edge of every host that answers listens on the ports and leads to whom this host's
 * catalog says, or until one of them cannot. Empty if there is no agent to ask.
 */
export const edgesServe = async (
  ports: readonly number[],
  {
    agent = connectAgent(),
    clock = systemClock,
    onWait = (text) => process.stdout.write(`${text}\n`),
  }: { agent?: EdgeAsker; clock?: Clock; onWait?: (text: string) => void } = {},
): Promise<EdgeVerdict> => {
  if (ports.length === 0) return SERVED
  const started = clock.now()
  let said = ''
  for (;;) {
    const verdict = await lookAtEdges(() => ports, agent)
    const waited = clock.now() - started
    if (verdict.blocked.length > 0 || verdict.late.length === 0 || waited >= LIMIT_MS) {
      return verdict
    }
    const text = `waiting for ${lateWords(verdict)}`
    if (waited >= SILENCE_MS && text !== said) onWait((said = text))
    await clock.sleep(LOOK_EVERY_MS)
  }
}

/** All TCP ports that the edges publish, but for those of single addresses. */
export const publishedPorts = ({ services }: Catalog): number[] => [
  ...new Set(
    [...services.values()].flatMap(({ ports, http }) => [
      ...ports.flatMap(({ hostIp, published }) => (hostIp === undefined ? [published] : [])),
      ...http.map(({ published }) => published),
    ]),
  ),
]

/** How the edges of all hosts that answer serve some ports now. Empty if there is no agent to ask. */
export const lookAtEdges = async (
  portsIn: (catalog: Catalog) => readonly number[],
  agent: EdgeAsker = connectAgent(),
): Promise<EdgeVerdict> => {
  let catalog: Catalog
  try {
    catalog = await agent.catalog()
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return SERVED
  }
  const ports = portsIn(catalog)
  if (ports.length === 0) return SERVED
  const hosts = [...catalog.hosts.values()].filter(({ state }) => state === 'alive')
  const looks = hosts.map(async (host) => ({
    host: host.name,
    ...(await look(agent, { catalog, host, ports })),
  }))
  return verdictOf(await Promise.all(looks))
}

interface Look {
  conflicts: readonly string[]
  missing: readonly string[]
}

const look = async (
  agent: EdgeAsker,
  what: { catalog: Catalog; host: CatalogHost; ports: readonly number[] },
): Promise<Look> => {
  const { catalog, host, ports } = what
  try {
    const reach = await agent.edge(host.id, ports)
    if (reach === null) return { conflicts: [], missing: [] }
    const { config } = edgeConfig(catalog, { self: host, local: [], addresses: new Set() })
    const networks = new Set(Object.keys(host.edge))
    return {
      conflicts: reach.conflicts,
      missing: missing({ config, ports }, { reach, networks }),
    }
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return { conflicts: [], missing: [error.message] }
  }
}

/** Hosts with the same trouble are named together. */
export const verdictOf = (looks: readonly (Look & { host: string })[]): EdgeVerdict => {
  const reasons = new Set(looks.flatMap(({ conflicts }) => conflicts))
  return {
    blocked: [...reasons].map((reason) => {
      const hosts = looks.filter(({ conflicts }) => conflicts.includes(reason))
      return reason.replace('this host', hosts.map(({ host }) => host).join(', '))
    }),
    late: looks.flatMap(({ host, missing: [reason] }) =>
      reason === undefined ? [] : [{ host, reason }],
    ),
  }
}

/** `host-2: it does not listen on port 80 yet` */
const lateWords = ({ late }: EdgeVerdict): string =>
  late.map(({ host, reason }) => `${host}: ${reason}`).join('; ')

/** What there is to say when all has been waited for; what is blocked is an error of its own. */
export const lateLines = (verdict: EdgeVerdict): string[] =>
  verdict.late.length === 0 || verdict.blocked.length > 0
    ? []
    : [`Not yet on ${lateWords(verdict)}. How it goes: muster status`]

/**
 * Which of these ports the edges of which hosts cannot have, in words, by what their agents last said
 * (at most some seconds ago). Empty if there is no agent to ask.
 */
export const takenPorts = async (ports: readonly number[]): Promise<string[]> => {
  if (ports.length === 0) return []
  try {
    return takenWords((await connectAgent().status()).hosts, ports)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    return []
  }
}

/** `port 80 of host-2 is taken by another process` for each port and host. */
export const takenWords = (
  hosts: readonly Pick<HostStatus, 'name' | 'usage'>[],
  ports: readonly number[],
): string[] =>
  [...new Set(ports)].flatMap((port) => {
    const names = hosts.filter(({ usage }) => usage?.taken.includes(port)).map(({ name }) => name)
    return names.length === 0
      ? []
      : [`port ${port} of ${names.join(', ')} is taken by another process`]
  })
