/** The candidate that was probably meant, if one is near enough. */
export const nearest = (word: string, candidates: Iterable<string>): string | undefined => {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  const wanted = word.toLowerCase()
  for (const candidate of candidates) {
    const plain = candidate.toLowerCase()
    // `volume` for `volumes`, `mem-limit` and `memLimit` for `mem_limit`.
    const same = plain.replaceAll(/[-_]/g, '') === wanted.replaceAll(/[-_]/g, '')
    const distance = same ? 0 : editDistance(wanted, plain, bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** `Did you mean "x"?`, or undefined. */
export const didYouMean = (word: string, candidates: Iterable<string>): string | undefined => {
  const found = nearest(word, candidates)
  return found === undefined ? undefined : `Did you mean "${found}"?`
}

/** Insertions, deletions, replacements and swapped neighbours; gives up at `limit`. */
const editDistance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let value = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) value = Math.min(value, (before[j - 2] ?? 0) + 1)
      next.push(value)
    }
    before = row
    row = next
  }
  return row[b.length] ?? limit
}

/** `a`, `a or b`, `a, b or c` */
export const oneOfWords = (words: readonly string[]): string =>
  words.length < 2
    ? (words[0] ?? '')
    : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1] ?? ''}`
