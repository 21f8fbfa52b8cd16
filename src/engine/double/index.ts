export * from './swarm.ts'
export { ManualClock } from './manual-clock.ts'
export type { Behaviour, ExecResult, Script, StartContext } from './behaviour.ts'
export { DEFAULT_TIMING, type Timing } from './timing.ts'
