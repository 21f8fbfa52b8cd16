/** Which faults a run has, from a seed. Pure. */
import { type Random, randomOf } from '../../src/members/simulate/random.ts'

/** Whom a fault happens to: chosen when it happens, from those who are there then. */
export type Victim = 'writer' | 'reader' | 'member' | 'leader' | 'host'

/** One fault, without an address: who is the writer, or leads, is known only when it happens. */
export interface Fault {
  kind: Kind
  victim: Victim | null
  /** 0 to 1: which of several that fit. */
  pick: number
  /** How long it lasts, for what lasts; ms. */
  forMs: number
}

/** One step of a run: a fault, and now and then another in the midst of it. */
export interface Step {
  fault: Fault
  second: { fault: Fault; afterMs: number } | null
}

/** What can happen to a cluster. Each kind says whom it may happen to, and how long it may last. */
const KINDS = {
  'member killed': { victims: ['writer', 'reader'], forMs: [0, 0] },
  'member paused': { victims: ['writer', 'reader'], forMs: [2000, 12_000] },
  'all members killed': { victims: [null], forMs: [0, 0] },
  'all members stopped': { victims: [null], forMs: [0, 0] },
  'volume lost': { victims: ['writer', 'reader'], forMs: [0, 0] },
  'disk full': { victims: ['writer', 'reader'], forMs: [8000, 15_000] },
  'power cut': { victims: ['writer', 'reader', 'leader', 'host'], forMs: [500, 15_000] },
  'power cut everywhere': { victims: [null], forMs: [0, 3000] },
  'network cut': { victims: ['writer', 'reader', 'leader', 'host'], forMs: [2000, 15_000] },
  'agent killed': { victims: ['member', 'leader'], forMs: [0, 0] },
  'engine killed': { victims: ['writer', 'reader', 'leader'], forMs: [0, 0] },
  'rolling update': { victims: [null], forMs: [0, 0] },
  'scale up and down': { victims: [null], forMs: [0, 0] },
} as const satisfies Record<
  string,
  { victims: readonly (Victim | null)[]; forMs: readonly [number, number] }
>

export type Kind = keyof typeof KINDS

/**
 * What may happen together: never the loss of more than a cluster is promised to survive or to come
 * back from by itself. Data are only lost while both other members run, and nothing else happens to a
 * member then: what follows from more is a person's decision (HELD), and not part of a run.
 */
const TOGETHER: readonly (readonly [Kind, Victim | null, Kind, Victim | null])[] = [
  ['network cut', 'writer', 'member killed', 'reader'],
  ['network cut', 'reader', 'member killed', 'writer'],
  ['network cut', 'host', 'power cut', 'reader'],
  ['power cut', 'writer', 'member killed', 'reader'],
  ['power cut', 'reader', 'member killed', 'writer'],
  ['power cut', 'reader', 'power cut', 'writer'],
  ['power cut', 'leader', 'member killed', 'writer'],
  ['agent killed', 'leader', 'all members killed', null],
  ['all members killed', null, 'agent killed', 'leader'],
  ['all members killed', null, 'power cut', 'leader'],
  ['all members stopped', null, 'agent killed', 'member'],
  ['member killed', 'writer', 'agent killed', 'leader'],
  ['member paused', 'reader', 'member killed', 'writer'],
  ['volume lost', 'reader', 'agent killed', 'leader'],
  ['engine killed', 'reader', 'member killed', 'writer'],
  ['engine killed', 'writer', 'network cut', 'reader'],
  ['rolling update', null, 'member killed', 'reader'],
  ['rolling update', null, 'agent killed', 'leader'],
  ['scale up and down', null, 'member killed', 'writer'],
  ['scale up and down', null, 'network cut', 'reader'],
]

/** Overlapping pairs among the cards of a round. */
const PAIRS_IN_A_ROUND = 8

const between = (random: Random, [least, most]: readonly [number, number]): number =>
  least + random.below(most - least + 1)

const fault = (random: Random, kind: Kind, victim: Victim | null): Fault => ({
  kind,
  victim,
  pick: random.next(),
  forMs: between(random, KINDS[kind].forMs),
})

const shuffled = <T>(random: Random, of: readonly T[]): T[] => {
  const left = [...of]
  const drawn: T[] = []
  while (left.length > 0) drawn.push(...left.splice(random.below(left.length), 1))
  return drawn
}

/** Every kind with every victim once, and some pairs, in any order. */
const round = (random: Random): Step[] => {
  const single = Object.entries(KINDS).flatMap(([kind, { victims }]) =>
    victims.map((victim) => ({
      fault: fault(random, kind as Kind, victim),
      second: null,
    })),
  )
  const pairs = shuffled(random, TOGETHER)
    .slice(0, PAIRS_IN_A_ROUND)
    .map(([first, victim, second, another]) => ({
      fault: fault(random, first, victim),
      second: { fault: fault(random, second, another), afterMs: between(random, [0, 4000]) },
    }))
  return shuffled(random, [...single, ...pairs])
}

/** What a run is made from. */
export interface PlanOptions {
  seed: number
  count: number
  /** Only steps that begin with one of these; all if there are none. */
  only?: readonly Kind[]
}

/** The steps of a run: equal seeds give equal steps, and a longer run begins as a shorter one. */
export const planOf = ({ seed, count, only = [] }: PlanOptions): Step[] => {
  const random = randomOf(seed)
  const steps: Step[] = []
  const wanted = ({ fault }: Step) => only.length === 0 || only.includes(fault.kind)
  while (steps.length < count) steps.push(...round(random).filter(wanted))
  return steps.slice(0, count)
}

/** Of names separated by commas. Throws on one that is none. */
export const kindsOf = (text: string): Kind[] =>
  text.split(',').map((name) => {
    if (name in KINDS) return name as Kind
    throw new Error(`"${name}" is none of ${Object.keys(KINDS).join(', ')}`)
  })

/** `power cut (leader) 3.2 s` */
export const faultText = ({ kind, victim, forMs }: Fault): string =>
  `${kind}${victim === null ? '' : ` (${victim})`}${forMs === 0 ? '' : ` ${(forMs / 1000).toFixed(1)} s`}`

export const stepText = ({ fault, second }: Step): string =>
  second === null
    ? faultText(fault)
    : `${faultText(fault)} + ${faultText(second.fault)} ${(second.afterMs / 1000).toFixed(1)} s later`
