/**
 * Loads Compose files: the whole Compose Specification, as the reference loader reads it, with errors
 * that name file, line and column.
 *
 * @example
 *   const result = await loadStack({ files: ['compose.yaml'] })
 *   if (result.errors) process.stderr.write(renderErrors(result.errors))
 *   else console.log(Object.keys(result.stack.services))
 */
export type * from './model.ts'
export type { LoadedTree } from './decode-stack.ts'
export { loadStack, loadTree, type LoadFailure, type LoadOptions, type LoadResult } from './load.ts'
export { renderErrors, renderWarnings } from './render-errors.ts'
export { renderPlain, renderStack, toCanonical, type Format } from './render.ts'
export { toPlain } from './node.ts'
export { projectVariables, type ProjectVariable } from './variables.ts'
