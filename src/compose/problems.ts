import type { ComposeError, Location, ModelPath } from './model.ts'
import type { Node } from './node.ts'
import { locationOf, type Span } from './source.ts'

/** `services.web.ports[0].published` */
export const formatPath = (path: ModelPath): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`,
    '',
  )

/** Where something was written: a node, a span, or a value with the span of its key. */
export type Where = Node | Span | { at: Span | undefined; key: Span | undefined } | undefined

/** What a problem is about. */
export interface Spot {
  /** Shown to people. */
  path: ModelPath
  where?: Where
  /** What it is about, where that is more than is shown: the unknown key of an object. */
  about?: ModelPath
}

/** Past this many, a person learns nothing more. */
const MAX_PROBLEMS = 100

/** Collects everything that is wrong, so that one run shows all of it. */
export class Problems {
  readonly errors: ComposeError[] = []
  readonly warnings: ComposeError[] = []
  readonly #seen = new Set<string>()
  readonly #about: ModelPath[] = []
  #settled = 0
  #incomplete = false

  error(spot: Spot, message: string, hint?: string): void {
    const about = spot.about ?? spot.path
    if (this.#follows(about)) return
    this.#about.push(about)
    this.#add(this.errors, spot, describe(message, hint))
  }

  /** Said once: what is true of one place is no news at the next. */
  warn(spot: Spot, message: string, hint?: string): void {
    if (this.warnings.some((warning) => warning.message === message)) return
    this.#add(this.warnings, spot, describe(message, hint))
  }

  /** True if this service, network, ... or something in it was found wrong and left out. */
  isBroken(kind: string, name: string): boolean {
    return this.#about.some((path) => path[0] === kind && path[1] === name)
  }

  /** Something was left out at this path, for a reason that was said elsewhere. */
  leaveOut(path: ModelPath): void {
    this.#about.push(path)
  }

  /**
   * What was found wrong so far has been left out of the tree. From here on, nothing is said about
   * an object that lacks something because of that: it would be the same error in other words.
   */
  settle(): void {
    this.#settled = this.#about.length
  }

  /** A whole file is missing from the tree: what refers to it cannot be checked. */
  markIncomplete(): void {
    this.#incomplete = true
  }

  get isIncomplete(): boolean {
    return this.#incomplete
  }

  /** True if something below this path was left out. */
  #follows(path: ModelPath): boolean {
    if (path.length < 2) return false
    return this.#about
      .slice(0, this.#settled)
      .some((known) => path.every((part, index) => part === known[index]))
  }

  #add(to: ComposeError[], { path, where }: Spot, said: { message: string; hint?: string }): void {
    const location = placeOf(where)
    const text = formatPath(path)
    // The same place can be reached twice: through an alias, or by a check before and after a merge.
    const place = location && `${location.file}:${location.line}:${location.caret.column}`
    const id = `${place ?? text} ${said.message}`
    if (this.#seen.has(id) || to.length >= MAX_PROBLEMS) return
    this.#seen.add(id)
    to.push({ path: text, ...said, ...(location ? { location } : {}) })
  }
}

const describe = (message: string, hint: string | undefined): { message: string; hint?: string } =>
  hint === undefined ? { message } : { message, hint }

const placeOf = (where: Where): Location | undefined => {
  if (!where) return undefined
  if ('source' in where) return locationOf(where)
  if (!where.at) return undefined
  return locationOf(where.at, 'key' in where ? where.key : undefined)
}

/** The errors in the order of the files' lines. */
export const inOrder = (errors: readonly ComposeError[]): ComposeError[] => {
  const files = [...new Set(errors.map((error) => error.location?.file))]
  const rank = ({ location }: ComposeError): number[] => [
    files.indexOf(location?.file),
    location?.line ?? 0,
    location?.caret.column ?? 0,
  ]
  return errors.toSorted((a, b) => {
    const [x, y] = [rank(a), rank(b)]
    const at = x.findIndex((part, i) => part !== y[i])
    return at === -1 ? 0 : (x[at] ?? 0) - (y[at] ?? 0)
  })
}
