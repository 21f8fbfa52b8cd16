export * from './keeper.ts'
export * from './permission.ts'
export { type KeeperEvent } from './context.ts'
export { writeFiles } from './run-folder.ts'
