import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Loop, systemClock, type Clock } from '../base/index.ts'
import type { Catalog, HostId, NetworkId } from '../catalog/index.ts'
import type { Engine } from '../engine/index.ts'
import { type Namespace, hostNamespaces } from '../vip/index.ts'
import {
  type OverlayPeer,
  SHOW_TABLES,
  missingPeers,
  readTables,
  remotePeers,
  repairCommands,
} from './peers.ts'
import { OVERLAY_TUNABLES as T } from './tunables.ts'

export interface OverlayRepairOptions {
  engine: Pick<Engine, 'inspectNetwork'>
  clock?: Clock
  /** Who works in namespaces. Default: this host. */
  namespace?: Pick<Namespace, 'program'>
  /** Addresses on a network that this host had no way to, and now has. */
  onRepaired: (network: NetworkId, addresses: string[]) => void
  onProblem: (error: unknown) => void
}

/** A container of this host. */
interface LocalContainer {
  /** Path of its network namespace. */
  netns: string
  networks: readonly NetworkId[]
}

/** Where Docker keeps the namespaces of containers, and of its overlay networks. */
const NAMESPACES = '/var/run/docker/netns'
/** A network's namespace is named after how often it was made, and the beginning of the network's id. */
const ID_LENGTH = 10

/**
 * Gives the kernel the ways to containers on other hosts that the engine should have given it. Engines
 * tell each other by gossip which container is behind which host. Those that lost each other for a
 * while may not for a minute or more when they are back: their hosts reach all others, but not each
 * other. The agents know from each other who is where. Only what is missing or leads to another
 * host is put right, and nothing is ever taken away: an entry of the engine's own replaces ours.
 */
export class OverlayRepair implements AsyncDisposable {
  readonly #options: OverlayRepairOptions
  readonly #clock: Clock
  readonly #namespace: Pick<Namespace, 'program'>
  readonly #loop: Loop
  /** Whether a network's traffic is encrypted: its ways are more than entries in tables. */
  readonly #encrypted = new Map<NetworkId, boolean>()
  /** What was missing at the last look: `network address host`. */
  #missing: ReadonlySet<string> = new Set()
  #seen: { catalog: Catalog; self: HostId; containers: readonly LocalContainer[] } | null = null
  #peers = ''
  #changedAt = -Infinity

  constructor(options: OverlayRepairOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#namespace = options.namespace ?? hostNamespaces
    this.#loop = new Loop({
      run: () => this.#look(),
      onError: options.onProblem,
      clock: this.#clock,
      backoff: () => T.watchful,
    })
  }

  /** Returns at once. */
  apply(catalog: Catalog, self: HostId, containers: readonly LocalContainer[]): void {
    const before = this.#seen
    this.#seen = { catalog, self, containers }
    const same =
      before?.catalog.endpoints === catalog.endpoints && before.catalog.hosts === catalog.hosts
    if (!same || before.containers.length !== containers.length) this.#loop.wakeIn(T.settle)
  }

  /** Resolves when no look is under way. */
  settled(): Promise<void> {
    return this.#loop.settled()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop.stop()
  }

  async #look(): Promise<void> {
    if (this.#seen === null) return
    const { catalog, self, containers } = this.#seen
    const own = Object.keys(catalog.hosts.get(self)?.edge ?? {})
    const networks = new Set([...own, ...containers.flatMap((each) => each.networks)])
    const peers = remotePeers(catalog, self, networks)
    this.#note(peers)
    const folders = new Set([NAMESPACES, ...containers.map(({ netns }) => dirname(netns))])
    const namespaces = (await Promise.all([...folders].map(namespacesIn))).flat()
    const hosts = new Set([...catalog.hosts.values()].map(({ address }) => address))
    const missing = new Set<string>()
    for (const [network, wanted] of peers) {
      const path = namespaces.findLast(({ id }) => id === network.slice(0, ID_LENGTH))?.path
      if (path === undefined) continue
      try {
        if (await this.#isEncrypted(network)) continue
        const lacking = await this.#repair(path, network, { wanted, hosts })
        for (const peer of lacking) missing.add(keyOf(network, peer))
      } catch (error) {
        // What is wrong with one network is none of the others' business.
        this.#options.onProblem(error)
      }
    }
    this.#missing = missing
    const watchful = this.#clock.now() - this.#changedAt < T.watchfulFor
    this.#loop.wakeIn(missing.size > 0 ? T.confirm : watchful ? T.watchful : T.calm)
  }

  /** Adds what was missing before, too; returns what is missing for the first time. */
  async #repair(
    path: string,
    network: NetworkId,
    { wanted, hosts }: { wanted: readonly OverlayPeer[]; hosts: ReadonlySet<string> },
  ): Promise<OverlayPeer[]> {
    const text = await this.#run(path, SHOW_TABLES)
    const tables = text === null ? null : readTables(text)
    if (tables === null) return []
    const lacking = missingPeers(wanted, tables, hosts)
    const still = lacking.filter((peer) => this.#missing.has(keyOf(network, peer)))
    if (still.length > 0 && (await this.#run(path, repairCommands(still, tables))) !== null) {
      this.#options.onRepaired(
        network,
        still.map(({ address }) => address),
      )
    }
    return lacking.filter((peer) => !still.includes(peer))
  }

  #run(path: string, commands: string): Promise<string | null> {
    return this.#namespace.program(path, {
      routes: commands,
      script: null,
      flows: false,
      prepare: false,
      release: new Set(),
    })
  }

  #note(peers: ReadonlyMap<NetworkId, readonly OverlayPeer[]>): void {
    const now = [...peers]
      .flatMap(([network, list]) => list.map((peer) => keyOf(network, peer)))
      .sort()
      .join('\n')
    if (now === this.#peers) return
    this.#peers = now
    this.#changedAt = this.#clock.now()
  }

  async #isEncrypted(network: NetworkId): Promise<boolean> {
    const known = this.#encrypted.get(network)
    if (known !== undefined) return known
    const { Options } = await this.#options.engine.inspectNetwork(network)
    const encrypted = Options?.['encrypted'] !== undefined
    this.#encrypted.set(network, encrypted)
    return encrypted
  }
}

const keyOf = (network: NetworkId, { address, host }: OverlayPeer): string =>
  `${network} ${address} ${host}`

/** The namespaces of overlay networks in a folder, the newest of a network last. */
const namespacesIn = async (folder: string): Promise<{ id: string; path: string }[]> => {
  try {
    return (await readdir(folder))
      .flatMap((name) => {
        const [, made, id] = /^(\d{1,9})-([a-z0-9]+)$/.exec(name) ?? []
        return id === undefined ? [] : [{ id, path: join(folder, name), made: Number(made) }]
      })
      .sort((a, b) => a.made - b.made)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
