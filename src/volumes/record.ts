/** What is remembered of a volume beside its data. Plain values. */

/** - `local`: kept on its host. - `run`: gone after a reboot, for files that are made at a start. */
export const VOLUME_TYPES = ['local', 'run'] as const
export type VolumeType = (typeof VOLUME_TYPES)[number]

/** What the person who made the volume asked for. */
export interface VolumeOptions {
  type: VolumeType
  /** Stack that it belongs to, for lists. */
  stack: string | null
  /** The service has one such volume for each slot. */
  perSlot: boolean
  /** It belongs to a member of a clustered service: their full Swarm names. */
  member: { id: string; cluster: string } | null
}

/** How a member was last let at its data. Written before it could do anything to them. */
export interface Claim {
  /** Identity of the ledger that allowed it. */
  ledger: string
  epoch: number
  kind: 'form' | 'first' | 'join' | 'rejoin'
}

/** The marker of a member's data. It lies beside the data, never in them. */
export interface Marker {
  /** Newest epoch that this host has promised to obey for this folder. */
  epoch: number
  /** Highest epoch in which the data were the first of their cluster and became primary. */
  founded: number
  /** Identity of the ledger whose cluster the data are a good part of; null before they joined. */
  joined: string | null
  claim: Claim | null
  /** Docker's id of the mount that was let through, until its process has been seen to end. */
  passed: string | null
  /**
   * It has left the primary component in an orderly way and has not been seen in it since: the others
   * may have gone on without it.
   */
  clean: boolean
  /** `at` of the order for which the data were made of a snapshot; null if they were not. */
  restored: number | null
  recipe: string | null
  /** Id of the image that last ran on the data: what can read them. */
  image: string | null
}

/** One volume. */
export interface VolumeRecord extends VolumeOptions {
  name: string
  /** Identity of the folder: made with it, never again. */
  uid: string
  /** Milliseconds since 1970. */
  created: number
  /** Milliseconds since 1970; null before it was ever mounted. */
  lastUse: number | null
  marker: Marker
}

export const BLANK_MARKER: Marker = {
  epoch: 0,
  founded: 0,
  joined: null,
  claim: null,
  passed: null,
  clean: false,
  restored: null,
  recipe: null,
  image: null,
}
