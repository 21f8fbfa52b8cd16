import type { Situation } from '../recipe.ts'

/** Galera and MariaDB accept names of clusters up to this long. */
const NAME_LENGTH = 32

/** The recipe's options, as its files are made from them. */
export interface GaleraOptions {
  tls: boolean
  provider: Record<string, string>
  /** Undefined: a name is made. */
  cluster: string | undefined
  /** There are members that Muster does not run, or there may be. */
  outside: boolean
  /** Where they are. */
  members: readonly string[]
}

/** Two clusters never take each other for the same: part of the name is made once, at random. */
export const clusterName = ({ cluster, uid }: Pick<Situation, 'cluster' | 'uid'>): string => {
  const mark = uid.slice(0, 8)
  return `${cluster.slice(0, NAME_LENGTH - 1 - mark.length)}-${mark}`
}

/**
 * How fast silence is noticed: writes stand still for 2.4 s after a crash of any member instead of
 * 6.3 s. Shorter ones evict members that are only busy.
 */
const LIVENESS: Record<string, string> = {
  'evs.keepalive_period': 'PT0.5S',
  'evs.suspect_timeout': 'PT2S',
  'evs.inactive_timeout': 'PT5S',
  'evs.install_timeout': 'PT5S',
  'evs.inactive_check_period': 'PT0.25S',
  'gmcast.peer_timeout': 'PT2S',
  // Writes stand still while members agree on who is there, and one of their messages that came too early is
  // only sent again after this: beside a joining member 1.1 to 1.6 s at most instead of 1.8 to 2.8 s.
  'evs.join_retrans_period': 'PT0.3S',
  // Who may be the first after a crash is decided by the ledger alone.
  'pc.recovery': 'false',
}

/** Options of the Galera provider, of this recipe and of the user, as MariaDB takes them. */
export const providerOptions = (own: Record<string, string>): string =>
  Object.entries({ 'gcache.size': '256M', ...LIVENESS, ...own })
    .map(([key, value]) => `${key}=${value}`)
    .join(';')

/**
 * A client whose host has lost its power never says goodbye. Until the server notices, its transaction
 * goes on, and so do its locks. Noticed within 11 s if it was the client's turn, and within 13 s if an
 * answer was on its way: then the kernel's attempts to send it again count.
 */
export const GONE_CLIENTS = {
  idle: `tcp_keepalive_time=5
tcp_keepalive_interval=2
tcp_keepalive_probes=3`,
  unanswered: { 'net.ipv4.tcp_retries2': '5' },
}

/** Folder of certificates that the start script makes from the cluster's secret. */
export const TLS_DIR = '/run/muster-tls'

const TLS_PROVIDER: Record<string, string> = {
  'socket.ssl': 'yes',
  'socket.ssl_ca': `${TLS_DIR}/ca.pem`,
  'socket.ssl_cert': `${TLS_DIR}/member.pem`,
  'socket.ssl_key': `${TLS_DIR}/member.key`,
}

const TLS_TRANSFER = `
[sst]
encrypt=4
tca=${TLS_DIR}/ca.pem
tcert=${TLS_DIR}/member.pem
tkey=${TLS_DIR}/member.key
ssl-mode=VERIFY_CA
commonname=
`

/**
 * The member's configuration, read after the image's and the user's own files: what a cluster must
 * not be without. Everything here is the same however the member starts.
 */
export const renderSettings = (situation: Situation, options: GaleraOptions): string => {
  // A trailing comma: if none of these can, any other may.
  const donors = situation.donors.map((donor) => `${donor},`).join('')
  const provider = providerOptions({
    ...options.provider,
    ...(options.tls ? TLS_PROVIDER : {}),
    // Reached at its host's address, which it does not have itself.
    ...(options.outside ? { 'ist.recv_bind': '0.0.0.0' } : {}),
  })
  return `[mariadbd]
datadir=/var/lib/mysql
socket=/run/mysqld/mysqld.sock
bind_address=0.0.0.0
skip_name_resolve=ON
# A commit that was acknowledged survives a crash.
innodb_flush_log_at_trx_commit=1
innodb_doublewrite=1
# What Galera needs.
default_storage_engine=InnoDB
innodb_autoinc_lock_mode=2
binlog_format=ROW
wsrep_on=ON
wsrep_cluster_name=${options.cluster ?? clusterName(situation)}
wsrep_node_name=${situation.self}
wsrep_provider_options="${provider}"
# Donors go on serving. MariaDB knows its own user by the socket, so there is no password.
wsrep_sst_method=mariabackup
wsrep_sst_auth=mysql:
wsrep_sst_donor=${donors}
# Locks of clients whose hosts are gone.
${GONE_CLIENTS.idle}
# Writes go to one member; the platform takes this off it.
read_only=${situation.writer === situation.self ? 'OFF' : 'ON'}
${options.tls ? TLS_TRANSFER : ''}`
}
