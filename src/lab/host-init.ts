import type { LabNetwork } from './network.ts'
import { HOST_PATH, LABS_DIR, hostFiles, projectRoot } from './paths.ts'

/** Folders of the machine that a host has its own of, and where they are in its lab folder. */
export const OWN_FOLDERS = {
  docker: '/var/lib/docker',
  muster: '/var/lib/muster',
  log: '/var/log/muster',
  'docker-etc': '/etc/docker',
  // containerd makes it, wherever its data is.
  'containerd-opt': '/opt/containerd',
} as const

/** Files of the machine that a host has its own of. */
export const OWN_FILES = ['hosts', 'hostname'] as const

/**
 * The script that a host's first process runs in its fresh namespaces, until it becomes tini with
 * the host's services below it. It says on descriptor 3 that it exists, and waits for a line on
 * stdin: the network cable is plugged in. If the command that starts the host dies before that,
 * stdin ends, and so does the host.
 */
export const hostInitScript = (options: {
  lab: string
  host: string
  network: LabNetwork
  agent: boolean
}): string => {
  const { lab, host, network } = options
  const disk = hostFiles(lab, host).dir
  const supervisor = [
    'lab-host',
    '--lab',
    lab,
    '--host',
    host,
    ...(options.agent ? [] : ['--no-agent']),
  ]
  return `set -eu
echo here >&3
exec 3>&-
read -r plugged
exec </dev/null
# As on a server with systemd: mounts made here are seen by the containers that ask for it.
mount --make-rshared /
# Other labs' switches would live on as long as this host.
for switch in ${LABS_DIR}/*/switch; do umount "$switch" 2>/dev/null || :; done
hostname ${host}
${Object.entries(OWN_FOLDERS)
  .map(([name, target]) => `mount --bind ${disk}/${name} ${target}`)
  .join('\n')}
${OWN_FILES.map((name) => `[ ! -e /etc/${name} ] || mount --bind ${disk}/${name} /etc/${name}`).join('\n')}
resolv=$(readlink -f /etc/resolv.conf || :)
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p -m 1777 /run/lock
[ -L /var/run ] || mount --bind /run /var/run
if [ -n "$resolv" ]; then
  mkdir -p "$(dirname "$resolv")"
  [ -e "$resolv" ] || : > "$resolv"
  mount --bind ${disk}/resolv.conf "$resolv"
fi
echo 1 > /proc/sys/net/ipv4/ip_forward
ip link set lo up
ip addr add ${network.host(host)}/24 dev eth0
ip link set eth0 up
export PATH=${HOST_PATH} HOME=/root LC_ALL=C.UTF-8
exec tini -- ${projectRoot()}/bin/muster ${supervisor.join(' ')}
`
}

/** A host's /etc/hosts: itself, every other host, the registry and the machine. */
export const hostsFile = (network: LabNetwork, hosts: readonly string[]): string =>
  [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost ip6-loopback',
    `${network.machine} machine`,
    `${network.registry} registry`,
    ...hosts.map((host) => `${network.host(host)} ${host}`),
  ]
    .map((line) => `${line}\n`)
    .join('')

/**
 * A host's /etc/resolv.conf. Nobody answers there, and that is said at once: a look-up of a name
 * outside the lab fails in a millisecond instead of after many seconds.
 */
export const resolvConf = (network: LabNetwork): string =>
  `nameserver ${network.registry}\noptions timeout:1 attempts:1\n`
