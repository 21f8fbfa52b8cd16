export * from './recipe.ts'
export { galera } from './galera/index.ts'
