import { execFile } from 'node:child_process'
import { stat, statfs } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { MusterError, messageOf } from '../base/index.ts'
import type { CutPlan, Forget } from './flows.ts'

export interface NamespaceRequest {
  /** Shell commands that end with status 5 when they fail. */
  routes: string | null
  /** Input of nft. */
  script: string | null
  flows: boolean
  prepare: boolean
  /** Virtual IPs that have just got rules: what still waits to be sent to them is let go. */
  release: ReadonlySet<string>
}

/** What is done inside the network namespace of a container. */
export interface Namespace {
  /**
   * Runs the shell commands `routes`, applies an nft script and shows the tracked connections, in one
   * process; each may be left out.
   * `prepare` also sets what is set once. Resolves to null when the namespace does not exist (any
   * more); rejects with ENGINE_REFUSED or TIMEOUT.
   */
  program(netns: string, request: NamespaceRequest): Promise<string | null>
  /** Ends connections. What is over already is no error. */
  cut(netns: string, plan: CutPlan): Promise<void>
}

const TIMEOUT_MS = 5000
/** A table of a hundred thousand connections fits. */
const MAX_OUTPUT = 64 * 1024 * 1024
/** Sockets per command: a command line has its limits. */
const CHUNK = 200

/**
 * A SYN without an answer is forgotten after a second instead of two minutes, so that when it is sent
 * again it may get another endpoint, before anybody has noticed that the first one is dead.
 */
const SYN_SENT_SECONDS = 1

/**
 * States of a socket that may wait for an endpoint. Not one whose end the endpoint has sent already
 * (what it sent before is still to be read), nor one that is still connecting.
 */
const WAITING = 'state established state fin-wait-1 state fin-wait-2'

const NFT = ['nft', '-f', '-']
const PREPARE = `echo ${SYN_SENT_SECONDS} > /proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent || true`
const FLOWS = 'conntrack -L 2>/dev/null || exit 4'

const FAILED: Record<number, string> = { 3: 'nft', 4: 'conntrack', 5: 'ip' }

/** NSFS_MAGIC of linux/magic.h: a file on another file system is not (any more) a namespace. */
const NSFS = 0x6e736673

const placeOf = async (netns: string): Promise<'other' | 'own' | 'missing'> => {
  try {
    const [target, own, system] = await Promise.all([
      stat(netns),
      stat('/proc/self/ns/net'),
      statfs(netns),
    ])
    if (system.type !== NSFS) return 'missing'
    return target.ino === own.ino ? 'own' : 'other'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 'missing'
    throw error
  }
}

/** Runs `nsenter`, `nft`, `conntrack` and `ss` of this host. Needs root. */
export const hostNamespaces: Namespace = {
  async program(netns, { routes, script, flows, prepare, release }) {
    const place = await placeOf(netns)
    if (place === 'missing') return null
    if (place === 'own') {
      throw new MusterError('ENGINE_REFUSED', `${netns} is the host's own network namespace.`)
    }
    const commands = [
      ...(routes === null ? [] : [routes]),
      ...(script === null ? [] : [`${NFT.join(' ')} || exit 3`]),
      ...(prepare ? [PREPARE] : []),
      ...(release.size > 0 ? [releaseCommand(release)] : []),
      ...(flows ? [FLOWS] : []),
    ]
    // The most frequent change is a script alone: one process, no shell.
    const alone = script !== null && commands.length === 1
    const result = await enter(netns, alone ? NFT : shell(commands), script ?? '')
    if (result.status === 0) return result.stdout
    if ((await placeOf(netns)) === 'missing') return null
    throw new MusterError(
      'ENGINE_REFUSED',
      `${FAILED[result.status] ?? (alone ? 'nft' : 'nsenter')} failed in ${netns}: ${result.stderr.trim().slice(0, 500)}`,
    )
  },

  async cut(netns, plan) {
    const commands = [...closeCommands(plan), ...plan.forget.map(forgetCommand)]
    if (commands.length === 0 || (await placeOf(netns)) !== 'other') return
    // A socket or an entry that has just ended makes the tools fail: nothing is wrong then.
    await enter(netns, shell([...commands.map((command) => `${command} || true`), 'true']), '')
  },
}

const closeCommands = ({ sockets, directly }: CutPlan): string[] => {
  const filters = [
    ...sockets.map(
      ({ destination, destinationPort, sourcePort }) =>
        `dst = ${address(destination)}:${number(destinationPort)} and sport = :${number(sourcePort)}`,
    ),
    ...directly.map((dead) => `dst = ${address(dead)}`),
  ]
  const commands: string[] = []
  for (let start = 0; start < filters.length; start += CHUNK) {
    const filter = filters.slice(start, start + CHUNK).map((one) => `( ${one} )`)
    commands.push(`ss -K -tn ${WAITING} '${filter.join(' or ')}'`)
  }
  return commands
}

const forgetCommand = ({ protocol, destination, replySource, state }: Forget): string =>
  `conntrack -D -p ${word(protocol)} --orig-dst ${address(destination)} --reply-src ${address(
    replySource,
  )}${state === undefined ? '' : ` --state ${word(state)}`}`

/**
 * What waits for an answer to ARP that may never come (Swarm answers for a virtual IP only where it
 * has IPVS) is not sent again meanwhile, and fails after 3 s: no route to host. Here it is sent to
 * nobody; when it is sent again, within a second, it meets the rules.
 */
const releaseCommand = (vips: ReadonlySet<string>): string =>
  `while read -r to _ flags _ _ device; do
  [ "$flags" = 0x0 ] || continue
  case ' ${[...vips].map(address).join(' ')} ' in
    *" $to "*) ip neigh replace "$to" lladdr ${NOBODY} dev "$device" nud stale || true ;;
  esac
done < /proc/self/net/arp`

/** A MAC address that no device has: locally administered, and not one of Docker's. */
const NOBODY = '06:00:00:00:00:01'

const check = (value: string, fits: boolean): string => {
  if (!fits) throw new Error(`not fit for a command: ${JSON.stringify(value)}`)
  return value
}
const address = (value: string): string => check(value, isIPv4(value))
const word = (value: string): string => check(value, /^[A-Za-z0-9_]+$/.test(value))
const number = (value: number): string => check(String(value), Number.isInteger(value))

const shell = (commands: string[]): string[] => ['sh', '-c', commands.join('\n')]

const enter = (
  netns: string,
  command: string[],
  input: string,
): Promise<{ status: number; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    const child = execFile(
      'nsenter',
      [`--net=${netns}`, ...command],
      { timeout: TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: MAX_OUTPUT },
      (error, stdout, stderr) => {
        if (error === null) resolve({ status: 0, stdout, stderr })
        else if (error.killed === true) {
          reject(new MusterError('TIMEOUT', `A command in ${netns} took over ${TIMEOUT_MS} ms.`))
        } else if (typeof error.code === 'number') {
          resolve({ status: error.code, stdout, stderr })
        } else {
          reject(
            new MusterError('HOST_SETUP', `nsenter cannot be run: ${messageOf(error)}`, {
              cause: error,
              hint: 'Install the packages util-linux, nftables, conntrack and iproute2.',
            }),
          )
        }
      },
    )
    // A command that ends without reading leaves a broken pipe, and says why by its status.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
