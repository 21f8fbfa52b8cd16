import { ownAddress, quote } from '../shell.ts'
import type { Position } from '../../catalog/index.ts'
import type { Peer, Situation } from '../recipe.ts'
import { type GaleraOptions, TLS_DIR } from './settings.ts'

export const DATA = '/var/lib/mysql'
export const SOCKET = '/run/mysqld/mysqld.sock'
/** Random bytes from which the certificate authority of the cluster is made. */
export const SEED = 'galera-seed'
/** In the data folder while it is made: what it holds is of no use yet. */
export const FORMING = 'muster-forming'
/** What is in it is run once, by the member that forms the cluster, as official images do. */
const SCRIPTS = '/docker-entrypoint-initdb.d'
/** Where members talk with each other. */
export const GALERA_PORT = 4567

/** Sets `provider`, wherever the image has it. */
export const FIND_PROVIDER = `provider=
for file in /usr/lib/galera/libgalera_smm.so /usr/lib64/galera-4/libgalera_smm.so; do
  [ ! -e "$file" ] || provider=$file
done
[ -n "$provider" ] || { echo "this image has no Galera" >&2; exit 1; }`

/** The container's entrypoint: prepares the data folder, then becomes the server. */
export const renderStart = (situation: Situation, options: GaleraOptions): string => {
  const { self, cluster, epoch, start, subnet } = situation
  return `#!/bin/sh
# ${self} of ${cluster}: ${start.kind}, epoch ${epoch}.
set -eu

data=${DATA}
run=${SOCKET.slice(0, SOCKET.lastIndexOf('/'))}
settings=/muster/my.cnf
say() { echo "muster: $*" >&2; }

# What the user's command says goes to the server.
case \${1-} in mariadbd | mysqld) shift ;; esac
install -d -o mysql -g mysql "$run"
[ "$(stat -c %U "$data")" = mysql ] || chown -R mysql:mysql "$data"
# Of processes that have ended.
rm -f "$data/wsrep_sst.pid" "$data/sst_in_progress" "$data/gvwstate.dat"

${FIND_PROVIDER}
${
  options.outside
    ? outsideLines(situation)
    : `address=$(${ownAddress(subnet)}) || { say ${quote(`no address in ${subnet}`)}; exit 1; }`
}
${options.tls ? tlsLines(situation) : ''}
# Galera believes the position that it is given only if this file names the same history.
state() { # HISTORY SAFE_TO_BOOTSTRAP
  printf '# GALERA saved state\\nversion: 2.1\\nuuid:    %s\\nseqno:   -1\\nsafe_to_bootstrap: %s\\n' "$1" "$2" >"$data/grastate.new"
  chown mysql:mysql "$data/grastate.new"
  sync "$data/grastate.new"
  mv "$data/grastate.new" "$data/grastate.dat"
}

${startLines(situation, joinable(situation.peers, options))}
exec mariadbd --defaults-extra-file="$settings" "$@" --user=mysql --wsrep-provider="$provider" \\
  --wsrep-node-address="$address" --wsrep-cluster-address="$join" $how
`
}

const startLines = ({ start, peers }: Situation, join: readonly string[]): string => {
  switch (start.kind) {
    case 'form':
      return formLines
    case 'first':
      return `${stateLines(start.position, true)}
join=gcomm://
how="--wsrep-new-cluster --wsrep-start-position=${positionWord(start.position)}"`
    case 'join':
    case 'rejoin':
      // Without an address Galera would found a cluster.
      if (join.length === 0) return `say "there is nobody to join"\nexit 1`
      return `${waysLines(peers)}
${
  start.position === null
    ? `# All that is in the folder is replaced by what a donor sends. Until that has come whole, .sst marks it
# as unusable: it is what the transfer uses, and removes as its last step.
install -d -o mysql -g mysql "$data/.sst"
sync -f "$data"
rm -f "$data/grastate.dat"`
    : stateLines(start.position, false)
}
join=${quote(`gcomm://${join.join(',')}`)}
how=${start.position === null ? '' : `--wsrep-start-position=${positionWord(start.position)}`}`
  }
}

/** How long one container waits for a way to all peers, seconds. The next one hears anew who they are. */
const WAYS_LIMIT_S = 15

/** Waits until packets get to all peers and back, which a refusal says too. */
const waysLines = (peers: readonly Peer[]): string => {
  const addresses = peers.flatMap(({ address }) => (address === null ? [] : [quote(address)]))
  if (addresses.length === 0) return ''
  return `# A member that reaches only some of the others makes all of them lose their primary component, again and
# again. After a host was away, its overlay network may not know all ways for half a minute.
reaches() { # ADDRESS
  answer=$(LC_ALL=C timeout 2 bash -c ': </dev/tcp/$0/${GALERA_PORT}' "$1" 2>&1) ||
    case "$? $answer" in 124* | *'No route'* | *unreachable* | *'timed out'*) return 1 ;; esac
}
trap 'exit 143' TERM
began=$(date +%s)
told=
for peer in ${addresses.join(' ')}; do
  until reaches "$peer"; do
    [ "$told" = "$peer" ] || say "there is no way to $peer yet: it is waited for"
    told=$peer
    [ $(($(date +%s) - began)) -lt ${WAYS_LIMIT_S} ] || exit 1
    sleep 0.2
  done
done`
}

/** Members outside reach it at its host, whose ports lead to it. */
const outsideLines = ({ hostAddress }: Situation): string =>
  hostAddress === null
    ? 'say "the address of its host is not known"; exit 1'
    : `address=${quote(hostAddress)}`

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NUMBER = /^\d+$/

/** `uuid:seqno`. Throws on anything else: it has come over the network. */
const positionWord = ({ history, sequence }: Position): string => {
  if (!UUID.test(history) || !NUMBER.test(sequence)) {
    throw new Error(`no position of Galera: ${JSON.stringify({ history, sequence })}`)
  }
  return `${history}:${sequence}`
}

const stateLines = (position: Position, safe: boolean): string =>
  `say ${quote(`data at ${positionWord(position)}`)}
state ${position.history} ${safe ? 1 : 0}`

/** Who is asked to let it in. Members outside only while no other is ready, which knows them all. */
const joinable = (peers: readonly Peer[], { members }: GaleraOptions): string[] => [
  ...peers.flatMap(({ address }) => (address === null ? [] : [`${address}:${GALERA_PORT}`])),
  ...(peers.some(({ ready }) => ready)
    ? []
    : members.map((each) => (each.includes(':') ? each : `${each}:${GALERA_PORT}`))),
]

/**
 * Runs the user's scripts in a server that nobody else reaches, before there is a cluster. What goes wrong
 * ends the start: as the folder is still marked, the next try makes it anew and runs them all again.
 */
const scriptLines = `query() {
  mariadb --no-defaults --socket=${SOCKET} --user=root --binary-mode \\
    --default-character-set=utf8mb4 \${database:+"--database=$database"}
}
unpacked() { # FILE COMMAND...
  file=$1
  shift
  command -v "$1" >/dev/null || { say "$file needs $1, which this image does not have"; exit 1; }
  rm -f "$run/cut-off"
  { "$@" <"$file" || touch "$run/cut-off"; } | query || exit
  [ ! -e "$run/cut-off" ] || { say "$file cannot be unpacked"; exit 1; }
}
script() {
  case $1 in
    *.sh)
      if [ -x "$1" ]; then "$1"
      elif command -v bash >/dev/null; then bash -e "$1"
      else sh -e "$1"
      fi ;;
    *.sql) query <"$1" ;;
    *.sql.gz) unpacked "$1" gzip -dc ;;
    *.sql.xz) unpacked "$1" xz -dc ;;
    *.sql.zst) unpacked "$1" zstd -dc ;;
    *) say "$1 is no script: left alone" ;;
  esac
}
scripts() {
  database=$(given DATABASE)
  mariadbd --defaults-extra-file="$settings" "$@" --user=mysql --wsrep-on=OFF --wsrep-provider=none \\
    --skip-networking --skip-log-bin --read-only=OFF --socket=${SOCKET} &
  server=$!
  until mariadb-admin --no-defaults --socket=${SOCKET} --user=root --silent ping >/dev/null 2>&1; do
    kill -0 "$server" 2>/dev/null || { say "the server for the scripts of ${SCRIPTS} has ended"; exit 1; }
    sleep 0.1
  done
  for each in ${SCRIPTS}/*; do
    say "runs $each"
    # As a process of its own, so that it ends at the first error and changes nothing here.
    status=0
    (script "$each") || status=$?
    [ "$status" = 0 ] || { say "$each has failed with $status: the cluster is not formed"; exit 1; }
  done
  kill "$server"
  wait "$server" || { say "the server did not end well after the scripts"; exit 1; }
}`

/**
 * Makes the data folder; when it has been made and the first start failed, goes on with what is there.
 * The accounts are made together with the system tables, before anybody can connect: root by the
 * socket alone, and MariaDB's own user, which sends state to joining members.
 */
const formLines = `given() { # NAME: of MARIADB_NAME, MARIADB_NAME_FILE and the same with MYSQL_
  for prefix in MARIADB MYSQL; do
    eval "value=\\\${\${prefix}_$1-} file=\\\${\${prefix}_$1_FILE-}"
    [ -z "$file" ] || value=$(cat "$file")
    [ -z "$value" ] || { printf '%s' "$value"; return; }
  done
}
# As hexadecimal digits, so that nothing in it is taken for SQL.
text() { printf "CONVERT(X'%s' USING utf8mb4)" "$(printf '%s' "$1" | od -An -v -tx1 | tr -d ' \\n')"; }
tick='\`'
accounts() {
  password=$(given ROOT_PASSWORD) database=$(given DATABASE) user=$(given USER)
  echo "FLUSH PRIVILEGES;"
  echo "CREATE USER mysql@localhost IDENTIFIED VIA unix_socket;"
  echo "GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR ON *.* TO mysql@localhost;"
  if [ -n "$password" ]; then
    echo "EXECUTE IMMEDIATE CONCAT('ALTER USER root@localhost IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD(', QUOTE($(text "$password")), ')');"
  fi
  if [ -n "$database" ]; then
    echo "SET @database = REPLACE($(text "$database"), '$tick', '$tick$tick');"
    echo "EXECUTE IMMEDIATE CONCAT('CREATE DATABASE $tick', @database, '$tick');"
  fi
  if [ -n "$user" ]; then
    password=$(given PASSWORD)
    [ -n "$password" ] || { say "MARIADB_USER needs MARIADB_PASSWORD"; exit 1; }
    echo "SET @account = CONCAT(QUOTE($(text "$user")), '@''%''');"
    echo "EXECUTE IMMEDIATE CONCAT('CREATE USER ', @account, ' IDENTIFIED BY ', QUOTE($(text "$password")));"
    [ -z "$database" ] ||
      echo "EXECUTE IMMEDIATE CONCAT('GRANT ALL ON $tick', REPLACE(@database, '_', '\\\\\\\\_'), '$tick.* TO ', @account);"
  fi
}
${scriptLines}
join=gcomm://
how=--wsrep-new-cluster
if [ -e "$data/${FORMING}" ] || [ ! -d "$data/mysql" ]; then
  say "making the data folder"
  touch "$data/${FORMING}"
  find "$data" -mindepth 1 -maxdepth 1 ! -name ${FORMING} ! -name lost+found -exec rm -rf {} +
  umask 077
  accounts >"$run/accounts.sql"
  mariadb-install-db --user=mysql --datadir="$data" --skip-test-db --skip-log-bin \\
    --auth-root-authentication-method=socket --auth-root-socket-user=root \\
    --extra-file="$run/accounts.sql" "$@" >"$run/install.log" 2>&1 ||
    { cat "$run/install.log" >&2; exit 1; }
  rm "$run/accounts.sql" "$run/install.log"
  umask 022
  [ -z "$(ls -A ${SCRIPTS} 2>/dev/null)" ] || scripts "$@"
  sync -f "$data"
  rm "$data/${FORMING}"
elif position=$(sh /muster/recover | sed -n 's/^recovered: //p') && [ -n "$position" ]; then
  say "data at $position"
  state "\${position%%:*}" 1
  how="$how --wsrep-start-position=$position"
elif [ -e "$data/grastate.dat" ]; then
  sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' "$data/grastate.dat"
fi`

/**
 * Certificates for the traffic between members. All members make the same authority out of the
 * cluster's secret, and each its own certificate. Valid from long ago, for clocks that differ.
 */
const tlsLines = ({ self, cluster }: Situation): string => `
tls=${TLS_DIR}
install -d -m 0700 "$tls"
{
  printf '\\060\\061\\002\\001\\001\\004\\040'
  { tr '_-' '/+' </run/secrets/${SEED}; printf '='; } | base64 -d
  printf '\\240\\012\\006\\010\\052\\206\\110\\316\\075\\003\\001\\007'
} | openssl ec -inform DER -out "$tls/ca.key" 2>/dev/null
cat >"$tls/ca.cnf" <<END
[ca]
default_ca = this
[this]
database = $tls/index
serial = $tls/serial
new_certs_dir = $tls
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
[member]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
END
sign() { # REQUEST CERTIFICATE EXTENSIONS MORE...
  request=$1 certificate=$2 extensions=$3
  shift 3
  openssl ca -batch -notext -config "$tls/ca.cnf" -startdate 20200101000000Z \\
    -enddate 21200101000000Z -keyfile "$tls/ca.key" -extensions "$extensions" \\
    -in "$request" -out "$certificate" "$@" 2>"$tls/log" || { cat "$tls/log" >&2; exit 1; }
}
: >"$tls/index"
openssl rand -hex 8 >"$tls/serial"
openssl req -new -key "$tls/ca.key" -subj ${quote(`/CN=${cluster} authority`)} -out "$tls/ca.csr"
sign "$tls/ca.csr" "$tls/ca.pem" authority -selfsign
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tls/member.key" \\
  -subj ${quote(`/CN=${self}`)} -out "$tls/member.csr" 2>/dev/null
sign "$tls/member.csr" "$tls/member.pem" member -cert "$tls/ca.pem"
rm "$tls/ca.key"
chown -R mysql:mysql "$tls"
`
