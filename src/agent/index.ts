export * from './client.ts'
export { type CatalogEvent } from './events.ts'
export { type EventLine } from './api.ts'
export { type AgentStatus, type HostStatus } from './status.ts'
