/** TCP ports that Muster itself listens on, beside Swarm's 2377, 7946 and 4789. */
export const AGENT_PORT = 8377
/** Prometheus metrics, plain HTTP, read only. */
export const METRICS_PORT = 8378
