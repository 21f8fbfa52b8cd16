/**
 * Takes the guards of clustered services out, one at a time, in a copy of the sources, and lets the
 * simulation look for the harm. Prints a table: how many histories it took, and what went wrong.
 *
 *     node scripts/mutate-guards.ts [--histories 4000] [--only TEXT]...
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Guard, GUARDS } from './guards.ts'

const ROOT = resolve(import.meta.dirname, '..')
/** A mutant that goes round in a circle is none that was found. */
const LIMIT_MS = 300_000

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '4000' },
    only: { type: 'string', multiple: true, default: [''] },
  },
})

const SEARCH = `
import { runHistory } from './src/members/simulate/run.ts'
for (let seed = 1; seed <= ${Number(values.histories)}; seed++) {
  const { violations } = runHistory(seed)
  if (violations.length === 0) continue
  process.stdout.write(JSON.stringify({ seed, violation: violations[0] }))
  break
}`

/** What the simulation says without the guard. */
const search = (folder: string, { file, guard, without }: Guard): string => {
  const path = join(folder, 'src/members', file)
  const before = readFileSync(path, 'utf8')
  if (before.split(guard).length !== 2) throw new Error(`not once in ${file}: ${guard}`)
  writeFileSync(
    path,
    before.replace(guard, () => without),
  )
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', SEARCH],
    { cwd: folder, encoding: 'utf8', timeout: LIMIT_MS },
  )
  writeFileSync(path, before)
  if (status === null) return `not found in ${LIMIT_MS / 1000} s |`
  if (status !== 0) return `error | ${stderr.split('\n').find((line) => /Error/.test(line)) ?? ''}`
  if (stdout === '') return 'not found |'
  const { seed, violation } = JSON.parse(stdout) as { seed: number; violation: string }
  return `${seed} | ${violation}`
}

const folder = mkdtempSync(join(tmpdir(), 'guards-'))
try {
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  console.info(
    `| guard taken out | found after (of ${values.histories} histories) | what went wrong |`,
  )
  console.info('|---|---|---|')
  for (const guard of GUARDS) {
    if (!values.only.some((text) => guard.name.includes(text))) continue
    console.info(`| ${guard.name} | ${search(folder, guard)} |`)
  }
} finally {
  rmSync(folder, { recursive: true })
}
