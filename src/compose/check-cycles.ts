import type { Declared } from './check-services.ts'
import { spotAt } from './locate.ts'

/** Reports the first circle of services that wait for each other. */
export const checkCycles = ({ services, tree, problems }: Declared): void => {
  const all = new Map(Object.entries(services))
  const circle = findCircle((name) => Object.keys(all.get(name)?.depends_on ?? {}), all.keys())
  if (!circle) return
  const [first = '', second = first] = circle
  const spot = spotAt(tree, ['services', first, 'depends_on', second])
  problems.error(spot, `services wait for each other in a circle: ${circle.join(' -> ')}`)
}

/** Names along a circle, the first one again at the end. Not recursive: chains may be long. */
const findCircle = (
  next: (name: string) => string[],
  all: Iterable<string>,
): string[] | undefined => {
  const done = new Set<string>()
  for (const start of all) {
    const chain: { name: string; rest: string[] }[] = [{ name: start, rest: next(start) }]
    const open = new Set([start])
    for (let last = chain.at(-1); last; last = chain.at(-1)) {
      const name = last.rest.pop()
      if (name === undefined) {
        done.add(last.name)
        open.delete(last.name)
        chain.pop()
      } else if (open.has(name)) {
        const names = chain.map((link) => link.name)
        return [...names.slice(names.indexOf(name)), name]
      } else if (!done.has(name)) {
        open.add(name)
        chain.push({ name, rest: next(name) })
      }
    }
  }
  return undefined
}
