export * from './recipe.ts'
export * from './registry.ts'
export { galera } from './galera/index.ts'
