export * from './recipe.ts'
export * from './registry.ts'
export { etcd } from './etcd/index.ts'
export { galera } from './galera/index.ts'
