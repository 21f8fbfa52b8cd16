/** Where Muster keeps things on a host. Everything under RUN is gone after a reboot. */
export const RUN_DIR = '/run/muster'
export const AGENT_SOCKET = `${RUN_DIR}/agent.sock`
/** Holds `host`, a bind mount of the host's network namespace, for HAProxy's `namespace host`. */
export const NETNS_DIR = `${RUN_DIR}/netns`
/** Shared with the edge container: haproxy.cfg and the admin socket. */
export const EDGE_DIR = `${RUN_DIR}/edge`
/** Containers whose post_start commands have ended well, a file each. */
export const HOOKS_DIR = `${RUN_DIR}/hooks`
export const STATE_DIR = '/var/lib/muster'
/** Modules of recipes that came with Compose files. */
export const RECIPES_DIR = `${STATE_DIR}/recipes`
/** One folder for each volume of our driver. */
export const VOLUMES_DIR = `${STATE_DIR}/volumes`
/** Volumes of type `run`: files that are made anew at each start of a member. */
export const MEMBERS_RUN_DIR = `${RUN_DIR}/members`
/** Where Docker looks for a volume driver called `muster`. */
export const VOLUME_DRIVER = 'muster'
export const PLUGIN_SOCKET = `/run/docker/plugins/${VOLUME_DRIVER}.sock`
export const LOG_DIR = '/var/log/muster'
