import type { Question, Snapshots } from '../recipe.ts'
import type { Options } from './options.ts'
import { CLIENT_PORT, DATA } from './paths.ts'

/** Beside the server's own folder, in the member's volume. */
const FOLDER = 'snapshots'

/** History, raft index and seconds since 1970: `cdf818194e3a8c32-812-1763740000.db`. */
const NAME = /^([0-9a-f]{1,16})-(0|[1-9]\d{0,19})-([1-9]\d{8,11})\.db$/

/** Newer versions have a program of its own for files at rest. */
const FILES = `files() { if command -v etcdutl >/dev/null; then etcdutl "$@"; else etcdctl "$@"; fi; }`

/**
 * Lines that make snapshots as long as the container lives. One is made only of a member that is with the
 * majority, gets its name when it has been read again as a whole, and only while there is room for
 * two more of its size: the disk is the server's first.
 */
export const snapshotLines = ({ snapshots }: Options): string => {
  if (snapshots === null) return ''
  const every = Math.ceil(snapshots.everyMs / 1000)
  return `
${FILES}
local_etcd() { etcdctl --endpoints=http://127.0.0.1:${CLIENT_PORT} --dial-timeout=1s "$@" 2>/dev/null; }
field() { printf '%s\\n' "$status" | sed -n 's/^"'"$1"'" : //p'; }
# Its last 32 bytes are the sum of all others, which older versions compare only when it is restored.
whole() { [ "$(head -c -32 "$1" | sha256sum | cut -c 1-64)" = "$(tail -c 32 "$1" | od -An -tx1 | tr -d ' \\n')" ]; }
snapshot() (
  cd ${DATA}/${FOLDER} || exit 1
  rm -f new new.part
  local_etcd --command-timeout=2s endpoint health >/dev/null || exit 1
  status=$(local_etcd --command-timeout=2s endpoint status --write-out=fields) || exit 1
  # What it holds is at least this; what it gets meanwhile comes on top.
  history=$(printf %x "$(field ClusterID)") index=$(field RaftAppliedIndex) size=$(field DBSize)
  [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -gt $((size / 512)) ] || exit 1
  local_etcd --command-timeout=600s snapshot save new >/dev/null &&
    whole new && files snapshot status new >/dev/null 2>&1 &&
    mv new "$history-$index-$(stamp).db"
)
newest() { ls ${DATA}/${FOLDER} 2>/dev/null | sed -n 's/^[0-9a-f]*-[0-9]*-\\([0-9]*\\)\\.db$/\\1 &/p' | sort -rn; }
last() { newest | sed -n '1s/ .*//p'; }
# Later than any before, also when the date of this host is set back: the oldest are known by it.
stamp() {
  now=$(date +%s) made=$(last)
  echo $((now > \${made:-0} ? now : made + 1))
}
# Seconds until the next one. A date in the future tells nothing.
due() {
  made=$(last)
  left=$((\${made:-0} + ${every} - $(date +%s)))
  echo $((left > ${every} ? ${every} : left > 0 ? left : 0))
}
snapshots() {
  mkdir -p ${DATA}/${FOLDER}
  sleep "$(due)"
  while :; do
    if snapshot; then
      newest | sed '1,${snapshots.keep}d; s/.* //' | while read -r old; do rm -f "${DATA}/${FOLDER}/$old"; done
      sleep ${every}
    else
      sleep 2
    fi
  done
}
snapshots &`
}

/**
 * Into a folder of its own first, with a cluster of its own: whoever knew the old one is no part of it.
 * Its address there means nothing; whoever starts as the first gets its own.
 */
const restoreScript = (name: string, tag: string): string => `#!/bin/sh
set -eu
${FILES}
cd ${DATA}
rm -rf restoring
files snapshot restore '${FOLDER}/${name}' --data-dir restoring --name restored \
  --initial-cluster restored=http://127.0.0.1:2380 --initial-cluster-token 'muster-${tag}' \
  --initial-advertise-peer-urls http://127.0.0.1:2380
if [ -e before-${tag} ]; then rm -rf member; elif [ -e member ]; then mv member before-${tag}; fi
mv restoring/member member
rm -rf restoring
sync
`

const restore = (name: string, tag: string): Question<{ damaged: string | null }> => ({
  command: ['sh', '-c', restoreScript(name, tag)],
  timeoutMs: 600_000,
  read: readRestored,
})

/** Reads how it went. Null: it may go well the next time. */
export const readRestored = (answer: {
  exit: number
  stdout: string
  stderr: string
}): { damaged: string | null } | null => {
  if (answer.exit === 0) return { damaged: null }
  const line = `${answer.stderr}\n${answer.stdout}`
    .split('\n')
    .find((each) =>
      /hash|sha256|invalid database|file size too small|corrupt|panic|checksum/i.test(each),
    )
  return line === undefined ? null : { damaged: line.trim().slice(0, 200) }
}

export const snapshots: Snapshots = {
  folder: FOLDER,
  read: (name) => {
    const [, history, sequence, seconds] = NAME.exec(name) ?? []
    if (history === undefined || sequence === undefined) return null
    return { position: { history, sequence }, at: Number(seconds) * 1000 }
  },
  restore,
}
