import { quote } from '../shell.ts'
import type { Peer, Situation } from '../recipe.ts'
import type { Options } from './options.ts'
import { CLIENT_PORT, DATA, PEER_PORT } from './paths.ts'
import { snapshotLines } from './snapshots.ts'

export const peerUrl = (name: string): string => `http://${name}:${PEER_PORT}`
export const clientUrl = (name: string): string => `http://${name}:${CLIENT_PORT}`

/** The container's entrypoint: becomes a member of the cluster, then the server. */
export const renderStart = (situation: Situation, options: Options): string => {
  const { self, cluster, epoch, start, name } = situation
  return `#!/bin/sh
# ${self} of ${cluster}: ${start.kind}, epoch ${epoch}.
set -eu

say() { echo "muster: $*" >&2; }
case \${1-} in etcd) shift ;; esac
chmod 0700 ${DATA}
# By names: so nothing changes for the others when this member gets another address.
self=${quote(self)}
url=${quote(peerUrl(name))}
export ETCD_NAME="$self" ETCD_DATA_DIR=${DATA} ETCD_STRICT_RECONFIG_CHECK=true
export ETCD_LISTEN_PEER_URLS=http://0.0.0.0:${PEER_PORT} ETCD_INITIAL_ADVERTISE_PEER_URLS="$url"
export ETCD_LISTEN_CLIENT_URLS=http://0.0.0.0:${CLIENT_PORT} ETCD_ADVERTISE_CLIENT_URLS=${quote(clientUrl(name))}
: "\${ETCD_PRE_VOTE:=true}"
export ETCD_PRE_VOTE

${startLines(situation)}
${snapshotLines(options)}
exec etcd "$@"
`
}

const startLines = (situation: Situation): string => {
  const { start } = situation
  switch (start.kind) {
    case 'form':
      return formLines(situation, start.with)
    case 'first':
      return firstLines
    case 'join':
    case 'rejoin':
      return [
        // What a restored snapshot has replaced.
        `rm -rf ${DATA}/before-*`,
        membershipLines(situation.peers),
        ...(start.kind === 'join' && start.position === null
          ? [joinLines]
          : ['export ETCD_INITIAL_CLUSTER_STATE=existing']),
        promoteLines,
      ].join('\n')
  }
}

/** All at once, once: the token is of this epoch, so no other attempt can mix with it. */
const formLines = (situation: Situation, together: readonly string[]): string => {
  const { self, name, peers, uid, epoch } = situation
  const names = new Map([...peers.map((peer) => [peer.id, peer.name] as const), [self, name]])
  const members = together.map((id) => `${id}=${peerUrl(names.get(id) ?? id)}`)
  return `export ETCD_INITIAL_CLUSTER=${quote(members.join(','))}
export ETCD_INITIAL_CLUSTER_STATE=new ETCD_INITIAL_CLUSTER_TOKEN=${quote(`${uid}-${epoch}`)}`
}

/** One member goes on alone with its data: the others are taken out, and join it anew, empty. */
const firstLines = `say "going on alone, with the data at hand"
ETCD_LISTEN_PEER_URLS=http://127.0.0.1:${PEER_PORT} ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:${CLIENT_PORT} \\
  etcd --force-new-cluster &
alone=$!
until etcdctl --command-timeout=1s endpoint health >/dev/null 2>&1; do
  kill -0 "$alone" 2>/dev/null || { say "it cannot"; exit 1; }
  sleep 0.2
done
id=$(etcdctl member list | awk -F', ' '{ print $1; exit }')
etcdctl member update "$id" --peer-urls="$url" >/dev/null
kill "$alone"
wait "$alone" || :
export ETCD_INITIAL_CLUSTER_STATE=existing`

/** For 5 s after a change of members or of the leader etcd refuses the next one. */
const AGAIN = `again() {
  tries=0
  until said=$("$@" 2>&1); do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || { echo "$said" >&2; exit 1; }
    sleep 0.5
  done
}`

const membershipLines = (peers: readonly Peer[]): string => {
  const endpoints = [
    ...peers.toSorted((a, b) => Number(b.ready) - Number(a.ready)).map(({ name }) => name),
    '127.0.0.1',
  ].map(clientUrl)
  return `# Asks a member that has a leader.
ctl() {
  for endpoint in ${endpoints.map((each) => quote(each)).join(' ')}; do
    if etcdctl --endpoints="$endpoint" --dial-timeout=1s --command-timeout=2s endpoint health >/dev/null 2>&1; then
      etcdctl --endpoints="$endpoint" --dial-timeout=1s --command-timeout=5s "$@"
      return
    fi
  done
  return 1
}
${AGAIN}
# ID, state, name, peer URL, client URL, learner
list() { members=$(ctl member list) || { say "no member answers"; return 1; }; }
own() { list && printf '%s\\n' "$members" | awk -F', ' -v url="$url" '$4 == url { print $1, $2, $6; exit }'; }`
}

/**
 * With an empty folder. Who was a member with this name before has lost its data: raft must never see
 * it come back without them, so it is taken out first.
 */
const joinLines = `entry=$(own)
case $entry in
  *' started '*)
    say "taking out the member that lost its data"
    again ctl member remove "\${entry%% *}"
    entry=
    ;;
esac
[ -n "$entry" ] || again ctl member add "$self" --learner --peer-urls="$url"
list
ETCD_INITIAL_CLUSTER=$(printf '%s\\n' "$members" | awk -F', ' -v url="$url" -v self="$self" '
  { name = $4 == url ? self : ($3 == "" ? "unnamed-" $1 : $3)
    printf "%s%s=%s", (NR > 1 ? "," : ""), name, $4 }')
export ETCD_INITIAL_CLUSTER ETCD_INITIAL_CLUSTER_STATE=existing`

/** A learner does not vote; it is promoted as soon as it has caught up. */
const promoteLines = `promoted() {
  entry=$(own) || return 1
  case $entry in
    *' started true') ctl member promote "\${entry%% *}" >/dev/null 2>&1 ;;
    *' started false') return 0 ;;
    *) return 1 ;;
  esac
}
(until promoted 2>/dev/null; do sleep 0.2; done) &`

/** Run in a ready member: takes another out of the cluster. Does nothing if it is not in it. */
export const removeMember = (member: Peer): string[] => [
  'sh',
  '-c',
  `list=$(etcdctl member list) || exit 1
id=$(printf '%s\\n' "$list" | awk -F', ' -v url="$1" '$4 == url { print $1; exit }')
${AGAIN}
[ -z "$id" ] || again etcdctl member remove "$id"`,
  'remove',
  peerUrl(member.name),
]
