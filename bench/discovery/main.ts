/**
 * How soon a container that has just started is found: from the moment its server listens to the
 * first reply through the edge of another host and through a virtual IP, asked every 5 ms. Beside
 * it HAProxy that asks Swarm's DNS every second, and serf agents with an event handler that rewrites
 * and reloads nginx. One container starts at a time; all in one run on one lab.
 *
 *   npm run bench:discovery [-- --samples 50] [--side muster,dns,serf] [--keep]
 */
import { parseArgs } from 'node:util'
import { benchLab, machine, markdownTable } from '../support.ts'
import { type Sample, measure } from './measure.ts'
import { DNS_POLLING, MUSTER, SERF, type Side } from './sides.ts'

/** Some software listens at once; most a while after its container has started. */
const STARTS = [
  { name: 'at once', listenAfterMs: '0-0' },
  { name: 'after 1 to 2 s', listenAfterMs: '1000-2000' },
]
const SIDES: Record<string, Side> = { muster: MUSTER, dns: DNS_POLLING, serf: SERF }

/** The smallest value that at least a share `q` of the values does not exceed. */
const quantile = (values: number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

const ms = (value: number): string => `${Math.round(value)} ms`

const row = (path: string, start: string, samples: Sample[]): string[] => {
  const listen = samples.map((sample) => sample.afterListen)
  const started = samples.map((sample) => sample.afterStart)
  return [
    path,
    start,
    String(samples.length),
    ms(quantile(listen, 0.5)),
    ms(quantile(listen, 0.95)),
    ms(quantile(listen, 1)),
    ms(quantile(started, 0.95)),
  ]
}

const HEAD = [
  'path',
  'server listens',
  'samples',
  'p50 after it listens',
  'p95',
  'max',
  'p95 after container start',
]

const { values: flags } = parseArgs({
  options: {
    samples: { type: 'string', default: '50' },
    side: { type: 'string', default: Object.keys(SIDES).join(',') },
    keep: { type: 'boolean' },
  },
})
const count = Number(flags.samples)
if (!Number.isInteger(count) || count < 1) throw new Error('--samples takes a number, 1 or more')
const sides = flags.side.split(',').map((name) => {
  const side = SIDES[name]
  if (!side) throw new Error(`No side "${name}". There are: ${Object.keys(SIDES).join(', ')}`)
  return side
})
const onProgress = (line: string) => process.stderr.write(`${line}\n`)

const lab = await benchLab({
  name: 'disco',
  hosts: 3,
  images: {
    'bench/starter:1': 'starter',
    'bench/dns-haproxy:1': 'dns-haproxy',
    'bench/serf-nginx:1': 'serf-nginx',
  },
})
try {
  const rows: string[][] = []
  for (const { name, listenAfterMs } of STARTS) {
    for (const side of sides) {
      onProgress(`${side.stack}: servers listen ${name}`)
      const byPath = await measure(lab, side, { count, listenAfterMs, onProgress })
      for (const [path, samples] of byPath) rows.push(row(path, name, samples))
    }
  }
  process.stdout.write(
    `Discovery of a container that has just started, asked every 5 ms. ${machine()}.\n\n${markdownTable(HEAD, rows)}\n`,
  )
} finally {
  if (!flags.keep) await lab[Symbol.asyncDispose]()
}
