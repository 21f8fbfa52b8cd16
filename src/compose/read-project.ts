import { readDocuments } from './documents.ts'
import { applyExtends } from './extends.ts'
import { applyIncludes } from './include.ts'
import { merge } from './merge.ts'
import type { Node } from './node.ts'
import type { Scope } from './reading.ts'
import type { SourceFile } from './source.ts'

/** Reads files and lays them over each other, the first one lowest. */
export const readFiles = async (
  files: readonly SourceFile[],
  scope: Scope,
): Promise<Node | undefined> => {
  let merged: Node | undefined
  for (const source of files) {
    for (const document of readDocuments(source, scope)) {
      const extended = await applyExtends(document, source, scope)
      const complete = await applyIncludes(extended, { source, scope, readFiles })
      const { problems } = scope.reading
      merged = merge(merged, complete, { problems, path: [], keepTags: false })
    }
  }
  return merged
}
