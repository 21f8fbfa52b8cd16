export * from './facts.ts'
export * from './permit.ts'
export * from './standing.ts'
