/**
 * How fast Compose files load: the real files of the conformance corpus one by one, and a generated
 * file of 1,000 services. Beside it js-yaml alone, which parses the same text and does nothing else:
 * the floor for anything that reads these files in JavaScript.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { load as parseYaml, loadAll } from 'js-yaml'
import { loadStack, toCanonical } from '../src/compose/index.ts'
import { CORPUS, records } from '../test/compose-conformance/corpus.ts'
import { machine, markdownTable, median, ROOT } from './support.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    services: { type: 'string', default: '1000' },
  },
})
const rounds = Number(options.rounds)
const services = Number(options.services)
const run = promisify(execFile)

/** A file as people write them, again and again: every service has what a usual one has. */
const generated = (count: number): string => {
  const service = (i: number) => `
  app-${i}:
    <<: *common
    image: registry.example.com/team/app-${i}:\${TAG:-1.${i}}
    environment:
      LEVEL: \${LEVEL:-info}
      NAME: app-${i}
      DATABASE: postgres://app-${i}@db-${i % 10}:5432/app
    ports: ["${10_000 + i}:8080"]
    volumes: ["data-${i % 50}:/var/lib/app", "./config/${i}:/etc/app:ro"]
    networks: [front, back-${i % 20}]
    healthcheck: { test: [CMD, check, "${i}"], interval: 10s, retries: 3 }
    deploy:
      replicas: ${(i % 3) + 1}
      resources: { limits: { cpus: "0.5", memory: 256M } }
      labels: { team: "t${i % 7}" }${i === 0 ? '' : `\n    depends_on: [app-${i - 1}]`}`
  const names = (prefix: string, many: number) =>
    Array.from({ length: many }, (_, i) => `  ${prefix}-${i}: {}`).join('\n')
  return `name: generated
x-common: &common
  restart: unless-stopped
  logging: { driver: json-file, options: { max-size: 10m } }
services:${Array.from({ length: count }, (_, i) => service(i)).join('')}
networks:
  front: {}
${names('back', 20)}
volumes:
${names('data', 50)}
`
}

const timed = async (what: () => unknown): Promise<number> => {
  const started = performance.now()
  await what()
  return performance.now() - started
}

/** The medians of both, measured in turn so that a slow moment hits both. */
const compare = async (
  a: () => unknown,
  b: () => unknown,
): Promise<{ a: number[]; b: number[] }> => {
  const times: { a: number[]; b: number[] } = { a: [], b: [] }
  await a()
  await b()
  for (let i = 0; i < rounds; i++) {
    times.a.push(await timed(a))
    times.b.push(await timed(b))
  }
  return times
}

const ms = (value: number): string =>
  value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`

const row = (name: string, { a, b }: { a: number[]; b: number[] }): string[] => [
  name,
  ms(median(a)),
  ms(Math.min(...a)),
  ms(Math.max(...a)),
  ms(median(b)),
]

const canonical = async (file: string): Promise<unknown> => {
  const { stack } = await loadStack({
    files: [file],
    projectName: 'proj',
    profiles: ['*'],
    env: { HOME: '/root' },
    cwd: dirname(file),
  })
  // A file that is refused is loaded too, up to its errors.
  return stack && toCanonical(stack, 'json')
}

const folder = await mkdtemp(join(tmpdir(), 'muster-bench-'))
try {
  const files = records<{ path: string }>('golden/compose-go.jsonl').map(({ path }) =>
    join(CORPUS, path),
  )
  const texts = new Map<string, string>()
  for (const file of files) texts.set(file, await readFile(file, 'utf8'))
  const bySize = files.toSorted((a, b) => (texts.get(a) ?? '').length - (texts.get(b) ?? '').length)
  const typical = bySize[Math.floor(bySize.length / 2)] ?? ''
  const largest = bySize.at(-1) ?? ''
  const thousand = join(folder, 'compose.yaml')
  await writeFile(thousand, generated(services))

  const command = (file: string) => () =>
    run(join(ROOT, 'bin/muster'), ['config', '-p', 'proj', '-f', file], { maxBuffer: 2 ** 28 })
  const script = join(folder, 'floor.mjs')
  await writeFile(
    script,
    `import { readFileSync } from 'node:fs'
import { load, dump } from ${JSON.stringify(import.meta.resolve('js-yaml'))}
process.stdout.write(dump(load(readFileSync(process.argv[2], 'utf8'))))`,
  )
  const floor = (file: string) => () =>
    run(process.execPath, [script, file], { maxBuffer: 2 ** 28 })

  const inTurn = async (load: (file: string) => unknown): Promise<void> => {
    for (const file of files) await load(file)
  }
  const parseAll = (file: string): void => {
    try {
      loadAll(texts.get(file) ?? '')
    } catch {
      // Some are not YAML, or have tags that js-yaml refuses: that is its answer.
    }
  }
  const thousandText = await readFile(thousand, 'utf8')
  const lines = thousandText.split('\n').length

  const table = [
    row(
      '`muster config`, typical file, whole process',
      await compare(command(typical), floor(typical)),
    ),
    row(
      '`muster config`, largest real file, whole process',
      await compare(command(largest), floor(largest)),
    ),
    row(
      `\`muster config\`, ${services} services (${lines} lines), whole process`,
      await compare(command(thousand), floor(thousand)),
    ),
    row(
      `all ${files.length} real files, in one process`,
      await compare(
        () => inTurn(canonical),
        () => inTurn(parseAll),
      ),
    ),
    row(
      `${services} services, in one process`,
      await compare(
        () => canonical(thousand),
        () => parseYaml(thousandText),
      ),
    ),
  ]
  process.stdout.write(
    `${[
      `Loading of Compose files, ${rounds} rounds. ${machine()}.`,
      '',
      markdownTable(['', 'median', 'fastest', 'slowest', 'js-yaml alone, median'], table),
      '',
      'Goals: a typical file under 150 ms from process start, 1,000 services under 1 s.',
    ].join('\n')}\n`,
  )
} finally {
  await rm(folder, { recursive: true })
}
