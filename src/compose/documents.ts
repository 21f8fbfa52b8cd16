import { canonical } from './canonical.ts'
import { interpolate } from './interpolate.ts'
import { describe, isNull, type Node } from './node.ts'
import { parsedDocuments, type Scope } from './reading.ts'
import { projectShape } from './shapes.ts'
import type { SourceFile } from './source.ts'

/** The documents of a file in canonical form; what is wrong in them is reported and left out. */
export const readDocuments = (source: SourceFile, scope: Scope): Node[] => {
  const { reading, environment } = scope
  const { problems } = reading
  const lookup = (name: string): string | undefined => environment.get(name)
  return parsedDocuments(source, reading).flatMap((document) => {
    if (isNull(document)) return []
    if (document.kind !== 'map') {
      const message = `expected a map with "services:", got ${describe(document)}`
      problems.error({ path: [], where: document }, message)
      return []
    }
    const filled = reading.interpolate
      ? interpolate(document, projectShape, { lookup, problems })
      : document
    const valid = filled && reading.schema.check(filled, 'part', problems)
    return valid ? [canonical(valid, { problems, lenient: !reading.interpolate })] : []
  })
}
