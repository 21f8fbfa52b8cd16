import type { ModelPath } from './model.ts'

/**
 * A table by paths in which `*` stands for any key: `services.*.ports`. Returns what to look up a
 * path with.
 */
export const patternTable = <T>(table: Record<string, T>): ((path: ModelPath) => T | undefined) => {
  const byLength = new Map<number, { parts: string[]; value: T }[]>()
  for (const [text, value] of Object.entries(table)) {
    const parts = text.split('.')
    byLength.set(parts.length, [...(byLength.get(parts.length) ?? []), { parts, value }])
  }
  return (path) =>
    byLength
      .get(path.length)
      ?.find(({ parts }) => parts.every((part, index) => part === '*' || part === path[index]))
      ?.value
}
