import type { Problems } from './problems.ts'
import type { SourceFile } from './source.ts'
import { substitute, type Lookup } from './template.ts'

/**
 * Reads `KEY=VALUE` lines as the reference does (`.env`, `env_file`, `label_file`): comments,
 * `export`, `KEY: value`, quotes over several lines, escapes and variables in double quotes and
 * plain values. A bare `KEY` takes its value from the lookup. What is wrong is reported.
 */
export const parseEnvFile = (
  source: SourceFile,
  lookup: Lookup,
  problems: Problems,
): Map<string, string> => {
  const values = new Map<string, string>()
  const known: Lookup = (name) => lookup(name) ?? values.get(name)
  const { text } = source
  let at = 0
  const fail = (message: string, start: number): void => {
    const end = lineEnd(text, start)
    problems.error({ path: [], where: { source, start, end } }, message)
  }
  while (at < text.length) {
    at = skipBlank(text, at)
    if (at >= text.length) break
    const exported = /^export[^\S\n]+/.exec(text.slice(at, at + 100))
    const start = exported ? at + exported[0].length : at
    const key = readKey(text, start)
    if ('wrong' in key) {
      fail(key.wrong, key.at)
      at = lineEnd(text, key.at)
      continue
    }
    if (key.bare) {
      const value = lookup(key.name)
      if (value !== undefined) values.set(key.name, value)
      at = key.end
      continue
    }
    const value = readValue(text, key.end)
    if ('wrong' in value) {
      fail(value.wrong, value.at)
      break
    }
    const expanded = value.raw ? { text: value.text, failures: [] } : substitute(value.text, known)
    for (const failure of expanded.failures)
      fail(
        failure.kind === 'syntax'
          ? failure.message
          : `the variable ${failure.variable} must be set${failure.message === '' ? '' : `: ${failure.message}`}`,
        start,
      )
    values.set(key.name, expanded.text)
    at = value.end
  }
  return values
}

/** `format: raw`: every line is KEY=VALUE, nothing is unquoted, nothing expanded. */
export const parseRawEnvFile = (
  source: SourceFile,
  lookup: Lookup,
  problems: Problems,
): Map<string, string> => {
  const values = new Map<string, string>()
  let start = 0
  for (const line of source.text.split('\n')) {
    const bare = line.replace(/\r$/, '')
    const trimmed = bare.trimStart()
    if (trimmed !== '' && !trimmed.startsWith('#')) {
      const equals = trimmed.indexOf('=')
      const name = equals === -1 ? trimmed : trimmed.slice(0, equals)
      if (equals === 0 || /\s/.test(name))
        problems.error(
          {
            path: [],
            where: {
              source,
              start,
              end: start + bare.length,
            },
          },
          `${JSON.stringify(name)} is not the name of a variable`,
        )
      else if (equals === -1) {
        const value = lookup(name)
        if (value !== undefined) values.set(name, value)
      } else values.set(name, trimmed.slice(equals + 1))
    }
    start += line.length + 1
  }
  return values
}

const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end
}

/** Past blank lines and comments. */
const skipBlank = (text: string, from: number): number => {
  let at = from
  for (;;) {
    while (at < text.length && /[\s\ufeff]/.test(text[at] ?? '')) at += 1
    if (text[at] !== '#') return at
    at = lineEnd(text, at)
  }
}

type Key = { name: string; end: number; bare: boolean } | { wrong: string; at: number }

const readKey = (text: string, start: number): Key => {
  let at = start
  for (; at < text.length; at += 1) {
    const char = text[at] ?? ''
    if (char === '=' || char === ':' || char === '\n') break
    if (/[\p{L}\p{N}_.\-[\]]/u.test(char) || /\s/.test(char)) continue
    const line = text.slice(start, lineEnd(text, start))
    return {
      wrong: `unexpected ${JSON.stringify(char)} in the name of a variable: ${JSON.stringify(line)}`,
      at,
    }
  }
  const bare = at >= text.length || text[at] === '\n'
  const name = text.slice(start, at).trimEnd()
  if (name.includes(' '))
    return { wrong: `the name ${JSON.stringify(name)} has a space in it`, at: start }
  return { name, end: Math.min(at + 1, text.length), bare }
}

type Value = { text: string; raw: boolean; end: number } | { wrong: string; at: number }

const readValue = (text: string, from: number): Value => {
  let at = from
  while (/[^\S\n]/.test(text[at] ?? '')) at += 1
  const quote = text[at]
  if (quote !== '"' && quote !== "'") {
    const end = lineEnd(text, at)
    const line = text.slice(at, end)
    const comment = line.search(/ #/)
    const value = comment === -1 ? line : line.slice(0, comment)
    return { text: value.trimEnd(), raw: false, end }
  }
  let value = ''
  for (let i = at + 1; i < text.length; i += 1) {
    const char = text[i] ?? ''
    if (char === quote)
      return { text: quote === '"' ? unescape(value) : value, raw: quote === "'", end: i + 1 }
    if (char === '\\') {
      i += 1
      const next = text[i] ?? ''
      // Only the quote itself loses its backslash here.
      value += next === quote ? next : `\\${next}`
    } else value += char
  }
  return { wrong: 'a quote is opened here and never closed', at }
}

const ESCAPES: Record<string, string> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '"': '"',
  '\\': '\\',
  // A dollar sign that starts no variable.
  $: '$$',
}

const unescape = (text: string): string =>
  text.replace(/\\(?:([abfnrtv$"\\])|0([0-7]{1,3}))/g, (whole, char: string | undefined, octal) =>
    char === undefined
      ? String.fromCharCode(Number.parseInt(String(octal), 8))
      : (ESCAPES[char] ?? whole),
  )
