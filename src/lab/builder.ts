/**
 * An engine that builds images: on the machine's own network, so that `apt-get` in a Dockerfile
 * works wherever it works on the machine. It runs only while something is built, and keeps its
 * images in the cache folder.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'
import { removeCgroups } from './cgroups.ts'
import { engineSocketOf, pingEngine } from './engine-socket.ts'
import { REGISTRY } from './host-services.ts'
import type { LabNetwork } from './network.ts'
import { CACHE_DIR, HOST_PATH, LABS_DIR } from './paths.ts'
import { hostInit, initFirst, killAll, labProcesses, markerEnv } from './processes.ts'
import { run } from './run.ts'

/** Stands where a lab's name stands: its processes and control groups are found like a lab's. */
export const BUILDER_LAB = '.images'
const START_MS = 60_000
const STOP_MS = 10_000
const NAMESPACES = '--mount --pid --ipc --fork --kill-child=SIGKILL --mount-proc'.split(' ')

/** A running builder; disposing of it stops it. */
export interface Builder extends AsyncDisposable {
  /** Under which its helpers are marked. */
  lab: string
  pid: number
}

const PROXY_NAMES = [
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
]

/** The machine's proxies, which downloads go through. */
export const proxyEnv = (): Record<string, string> =>
  Object.fromEntries(
    PROXY_NAMES.flatMap((name) => {
      const value = process.env[name]
      return value ? [[name, value]] : []
    }),
  )

const initScript = (dir: string): string => `set -eu
for switch in ${LABS_DIR}/*/switch; do umount "$switch" 2>/dev/null || :; done
cp /etc/resolv.conf ${dir}/resolv.conf
mount --bind ${dir}/hosts /etc/hosts
mount --bind ${dir}/data /var/lib/docker
mount -t tmpfs tmpfs /opt/containerd
resolv=$(readlink -f /etc/resolv.conf)
mount -t tmpfs -o mode=755 tmpfs /run
[ -L /var/run ] || mount --bind /run /var/run
[ -e "$resolv" ] || { mkdir -p "$(dirname "$resolv")"; cp ${dir}/resolv.conf "$resolv"; }
# Ends with the command that started it, however that ends: then nobody holds our stdin open.
exec tini -- sh -c '"$@" & engine=$!; exec 3<&0; { cat <&3; kill $engine; } & wait $engine' engine \\
  dockerd --bridge=none --iptables=false --ip6tables=false \\
  --exec-opt=native.cgroupdriver=cgroupfs --cgroup-parent=/muster-${BUILDER_LAB}.builder \\
  --insecure-registry=${REGISTRY}
`

/** Starts a builder that can push to the registry of a lab. Call with the images' lock held. */
export const startBuilder = async (network: LabNetwork): Promise<Builder> => {
  const dir = join(CACHE_DIR, 'builder')
  await removeBuilder()
  await mkdir(join(dir, 'data'), { recursive: true })
  await writeFile(
    join(dir, 'hosts'),
    `${readFileSync('/etc/hosts', 'utf8')}\n${network.registry} registry\n`,
  )
  await writeFile(join(dir, 'init.sh'), initScript(dir))
  const log = openSync(join(dir, 'dockerd.log'), 'w')
  let child: ChildProcess
  try {
    child = spawn('unshare', [...NAMESPACES, 'sh', join(dir, 'init.sh')], {
      detached: true,
      cwd: '/',
      stdio: ['pipe', log, log],
      env: {
        PATH: HOST_PATH,
        HOME: '/root',
        ...proxyEnv(),
        ...markerEnv(BUILDER_LAB, 'builder'),
      },
    })
  } finally {
    closeSync(log)
  }
  child.unref()
  const ended = once(child, 'exit').then(() => true)
  const deadline = performance.now() + START_MS
  for (;;) {
    const pid = hostInit(BUILDER_LAB, 'builder')
    if (pid !== undefined && (await pingEngine(engineSocketOf(pid)))) {
      return { lab: BUILDER_LAB, pid, [Symbol.asyncDispose]: () => stopBuilder(child, ended) }
    }
    const over = await Promise.race([ended, delay(50, false)])
    if (over || performance.now() > deadline) {
      await removeBuilder()
      const said = (await readFile(join(dir, 'dockerd.log'), 'utf8')).trim().split('\n').at(-1)
      throw new MusterError('LAB', `The engine that builds images does not start: ${said}`, {
        hint: `Its log is ${dir}/dockerd.log.`,
      })
    }
  }
}

/** Lets the engine end, so that its images are whole on the disk, and clears what is left. */
const stopBuilder = async (child: ChildProcess, ended: Promise<unknown>): Promise<void> => {
  child.stdin?.end()
  await Promise.race([ended, delay(STOP_MS)])
  await removeBuilder()
}

/** Removes what is left of a builder. Call with the images' lock held. */
export const removeBuilder = async (): Promise<void> => {
  await killAll(initFirst(labProcesses(BUILDER_LAB)))
  await removeCgroups(BUILDER_LAB)
}

/** Runs a program beside the builder's engine, where `docker` speaks to it; gives its stdout. */
export const inBuilder = (
  builder: Builder,
  argv: readonly string[],
  options: { timeoutMs?: number; input?: string } = {},
): Promise<string> =>
  run(
    builder.lab,
    [...`nsenter --target ${builder.pid} --mount --ipc --pid --root --wd --`.split(' '), ...argv],
    {
      ...options,
      env: { HOME: '/root', DOCKER_CONTEXT: 'default', DOCKER_BUILDKIT: '0', ...proxyEnv() },
    },
  )
