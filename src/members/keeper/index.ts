export * from './keeper.ts'
export * from './permission.ts'
export { type KeeperEvent } from './member-keeper.ts'
export { writeFiles } from './run-folder.ts'
