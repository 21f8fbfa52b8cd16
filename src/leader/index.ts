export * from './loop.ts'
export * from './dependencies.ts'
export * from './release.ts'
export * from './lost-hosts.ts'
