import type { Recovered } from '../recipe.ts'
import { DATA } from './paths.ts'

/**
 * etcd tells how far its data are only while it starts. Without a network it starts, reads them,
 * and waits for the others; then it is stopped. Prints `recovered: CLUSTER:INDEX`.
 */
export const RECOVER_SCRIPT = `#!/bin/sh
# How far is the data of this member?
set -u
[ -d ${DATA}/member ] || { echo 'empty: yes'; exit 0; }
ls ${DATA}/member/wal/*.wal >/dev/null 2>&1 || { echo 'corrupt: there is no log' >&2; exit 1; }
log=$(mktemp)
ETCD_NAME=recover ETCD_DATA_DIR=${DATA} ETCD_PRE_VOTE=true ETCD_INITIAL_CLUSTER_STATE=existing \\
ETCD_LISTEN_PEER_URLS=http://127.0.0.1:2380 ETCD_INITIAL_ADVERTISE_PEER_URLS=http://127.0.0.1:2380 \\
ETCD_LISTEN_CLIENT_URLS=http://127.0.0.1:2379 ETCD_ADVERTISE_CLIENT_URLS=http://127.0.0.1:2379 \\
ETCD_INITIAL_CLUSTER=recover=http://127.0.0.1:2380 etcd >"$log" 2>&1 &
server=$!
until grep -Eq 'restarting (local )?member' "$log"; do
  kill -0 "$server" 2>/dev/null || { cat "$log" >&2; exit 1; }
  sleep 0.05
done
kill "$server"
wait "$server"
sed -En 's/.*restarting member [0-9a-f]+ in cluster ([0-9a-f]+) at commit index ([0-9]+).*/recovered: \\1:\\2/p
s/.*restarting local member.*"cluster-id":"([0-9a-f]+)".*"commit-index":([0-9]+).*/recovered: \\1:\\2/p' "$log" | tail -n 1
`

/** What servers from 3.4 on say of a broken log or database. */
const DAMAGE =
  /crc mismatch|corrupt|unexpected EOF|failed to (read WAL|recover)|max entry size limit|proto: |invalid database|^panic: |freepages|checksum error|version mismatch/i
const HOST =
  /no space left|permission denied|input\/output error|too many open files|cannot allocate|out of memory|read-only file system/i

const POSITION = /^recovered: ([0-9a-f]{1,16}):(\d{1,20})$/m

/** Reads what the script has said. Null: it could not tell. */
export const readRecovered = (answer: {
  exit: number
  stdout: string
  stderr: string
}): Recovered | null => {
  if (/^empty: yes$/m.test(answer.stdout)) return { position: null, clean: false, damaged: null }
  if (answer.exit !== 0) {
    // The host may be at fault, and then nothing is known of the data.
    if (HOST.test(answer.stderr)) return null
    const line = answer.stderr.split('\n').find((each) => DAMAGE.test(each))
    return line === undefined
      ? null
      : { position: null, clean: false, damaged: `etcd cannot read it: ${line.slice(0, 200)}` }
  }
  const [, history, sequence] = POSITION.exec(answer.stdout) ?? []
  if (history === undefined || sequence === undefined) return null
  return { position: { history, sequence }, clean: false, damaged: null }
}
