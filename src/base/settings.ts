import { LABEL } from './labels.ts'

/**
 * Choices for the whole cluster, kept in the labels of Swarm's cluster object: in Raft, readable on
 * every manager, and carried to workers in the catalog.
 */
export interface ClusterSettings {
  /** Image of the edge: any with HAProxy 2.6 or newer in it. */
  edgeImage: string
  /** Milliseconds before Swarm replaces a task that ended; services may say otherwise. */
  restartDelayMs: number
}

export const DEFAULT_SETTINGS: ClusterSettings = {
  edgeImage: 'docker.io/library/haproxy:2.8',
  // Swarm's own default is 5 s, the second largest part of a failover. One second still keeps a
  // crashing container from eating a core.
  restartDelayMs: 1000,
}

/**
 * How often hosts report to Swarm's dispatcher. A host is down after three missed beats: 5 s (Swarm's
 * default) makes that 15 s, 2 s makes it 6 s for a load that hundreds of hosts can bear.
 */
export const DEFAULT_HEARTBEAT_MS = 2000

/** The settings in a cluster's labels; what is missing or unreadable is the default. */
export const parseSettings = (labels: Record<string, string> | undefined): ClusterSettings => {
  const delay = Number(labels?.[LABEL.restartDelay])
  return {
    edgeImage: labels?.[LABEL.edgeImage] || DEFAULT_SETTINGS.edgeImage,
    restartDelayMs:
      labels?.[LABEL.restartDelay] !== undefined && Number.isInteger(delay) && delay >= 0
        ? delay
        : DEFAULT_SETTINGS.restartDelayMs,
  }
}

/** The labels that say these settings. */
export const settingsLabels = (settings: ClusterSettings): Record<string, string> => ({
  [LABEL.edgeImage]: settings.edgeImage,
  [LABEL.restartDelay]: String(settings.restartDelayMs),
})
