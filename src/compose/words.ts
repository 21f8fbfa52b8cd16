export interface Words {
  words: string[]
  /** What the reference leaves out without a word: everything from the first `;`, `&`, `|`, `<`, `>`. */
  dropped?: string
}

/**
 * Splits a command as the reference loader does (the rules of go-shellwords): quotes and backslashes
 * as in a shell, nothing expanded, and the end at the first unquoted shell operator. Undefined if a
 * quote or bracket is left open.
 */
export const splitWords = (line: string): Words | undefined => {
  const words: string[] = []
  let word = ''
  let started = false
  let escaped = false
  let quote: '"' | "'" | '`' | ')' | undefined
  const chars = Array.from(line)
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] ?? ''
    if (escaped) {
      word += char === 't' ? '\t' : char === 'n' ? '\n' : char
      escaped = false
      started = true
      continue
    }
    if (char === '\\' && quote !== "'") {
      escaped = true
      continue
    }
    if (/[ \t\r\n]/.test(char)) {
      if (quote) word += char
      else if (started) {
        words.push(word)
        word = ''
        started = false
      }
      continue
    }
    if ((char === '"' || char === "'") && (quote === undefined || quote === char)) {
      quote = quote === char ? undefined : char
      started = true
      continue
    }
    if (char === '`' && (quote === undefined || quote === '`'))
      quote = quote === undefined ? '`' : undefined
    else if (char === ')' && (quote === undefined || quote === ')'))
      quote = quote === undefined ? ')' : undefined
    else if (char === '(' && (quote === undefined || quote === ')')) {
      if (quote !== undefined || !word.endsWith('$')) return undefined
      quote = ')'
    } else if (quote === undefined && /[;&|<>]/.test(char)) {
      // `2>file`: the digit belongs to the redirection.
      const redirects = char === '>' && /^\d/.test(word)
      if (started && !redirects) words.push(word)
      return { words, dropped: chars.slice(redirects ? at - word.length : at).join('') }
    }
    started = true
    word += char
  }
  if (escaped || quote) return undefined
  if (started) words.push(word)
  return { words }
}
