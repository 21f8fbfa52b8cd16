/** Where the server keeps its data. */
export const DATA = '/var/lib/etcd'
export const PEER_PORT = 2380
export const CLIENT_PORT = 2379
