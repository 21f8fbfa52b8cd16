/** How long nothing was acknowledged. Pure. */

/** Longest time within `from` and `to` in which no moment of `at` lies; `at` is in order. */
export const longestGap = (
  at: readonly number[],
  { from, to }: { from: number; to: number },
): number => {
  let longest = 0
  let last = from
  for (const moment of at) {
    if (moment < from) continue
    if (moment > to) break
    longest = Math.max(longest, moment - last)
    last = moment
  }
  return Math.max(longest, to - last)
}
