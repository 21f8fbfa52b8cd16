import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Duplex } from 'node:stream'
import { systemClock } from '../../base/index.ts'
import type { MemberRole } from '../../catalog/index.ts'
import type { ExecSession } from '../../engine/index.ts'
import type { Answer, Session } from '../../recipes/index.ts'
import { BLANK_MARKER } from '../../volumes/index.ts'
import { classify } from './classify.ts'
import { type Readiness, answered, isReady, notReady } from './readiness.ts'
import { reportOf } from './report.ts'
import { writeFiles } from './run-folder.ts'
import { SessionWatch } from './session.ts'

const LEDGER = { uid: 'ours' }
const claimed = (ledger: string) => ({ ledger, epoch: 1, kind: 'join' as const })

describe('what data at rest are', () => {
  it.each([
    ['a new folder', {}, false, 'empty'],
    ['a folder that had good data', { joined: 'ours' }, false, 'lost'],
    ['data that nobody of ours has put there', {}, true, 'foreign'],
    ['a start that was cut off before it joined', { claim: claimed('ours') }, true, 'empty'],
    ['a start of another cluster that was cut off', { claim: claimed('theirs') }, true, 'foreign'],
    ['data that joined', { joined: 'ours', claim: claimed('ours') }, true, 'good'],
    ['data of an earlier cluster of that name', { joined: 'theirs' }, true, 'foreign'],
  ] as const)('%s: %o, data: %s', (...[, marker, holds, state]) => {
    expect(classify({ ...BLANK_MARKER, ...marker }, holds, LEDGER)).toBe(state)
  })
})

describe('when a member takes traffic', () => {
  const status = (role: MemberRole) => ({ role, size: 3, component: 'c', leads: null })
  const EVERY = 500
  const run = (...answers: [at: number, role: MemberRole | null, causal?: boolean][]): Readiness =>
    answers.reduce(
      (before, [askedAt, role, causal = true]) =>
        answered(before, role && { status: status(role), causal }, { askedAt, everyMs: EVERY }),
      notReady,
    )

  it('is after two causal answers in a row', () => {
    expect(isReady(run([0, 'ready']), status('ready'), false)).toBe(false)
    expect(isReady(run([0, 'ready'], [500, 'ready']), status('ready'), false)).toBe(true)
    const broken = run([0, 'ready'], [500, 'ready', false], [1000, 'ready'])
    expect(isReady(broken, status('ready'), false)).toBe(false)
    expect(isReady(run([0, 'ready'], [500, 'ready'], [1000, null]), status('ready'), false)).toBe(
      false,
    )
  })
  it('is not right after a pause, however well it says that it is', () => {
    const paused = run([0, 'ready'], [500, 'ready'], [5000, 'ready'])
    expect(isReady(paused, status('ready'), false)).toBe(false)
    expect(
      isReady(run([0, 'ready'], [5000, 'ready'], [5500, 'ready']), status('ready'), true),
    ).toBe(true)
  })
  it('is as a donor only while nobody else does', () => {
    const donor = run([0, 'donor'], [500, 'donor'])
    expect(isReady(donor, status('donor'), true)).toBe(false)
    expect(isReady(donor, status('donor'), false)).toBe(true)
  })
  it('is never outside, joining, or silent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom<MemberRole>('outside', 'joining'), fc.boolean())),
        (answers) => {
          const readiness = run(
            ...answers.map(
              ([role, causal], i) => [i * EVERY, role, causal] as [number, MemberRole, boolean],
            ),
          )
          expect(isReady(readiness, status('outside'), false)).toBe(false)
          expect(isReady(readiness, null, false)).toBe(false)
        },
      ),
    )
  })
})

describe('the report', () => {
  const sight = {
    id: 'shop_db-1',
    cluster: 'shop_db',
    host: 'h1',
    record: undefined,
    broken: null,
    ledger: null,
    process: 'rest' as const,
    look: null,
    snapshot: null,
    status: null,
    position: null,
    ready: true,
    container: 'c1',
    addresses: { n1: '10.0.1.2' },
    problem: null,
  }
  it('says nothing of a process that does not run', () => {
    expect(reportOf(sight)).toMatchObject({
      data: 'none',
      ready: false,
      container: null,
      addresses: {},
    })
  })
  it('takes a folder that cannot be read for no evidence of anything', () => {
    expect(reportOf({ ...sight, broken: 'volume.json: cut off' })).toMatchObject({
      data: 'unknown',
      problem: 'volume.json: cut off',
    })
  })
})

describe('files of a member', () => {
  it('are exactly those that were rendered', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'run-'))
    try {
      await writeFiles(folder, [
        { path: 'a/b', content: '1' },
        { path: 'old', content: '1' },
      ])
      await writeFiles(folder, [
        { path: 'a/b', content: '2' },
        { path: 'start', content: 'x', mode: 0o755 },
      ])
      expect((await readdir(folder)).sort()).toEqual(['a', 'start'])
      expect(await readFile(join(folder, 'a/b'), 'utf8')).toBe('2')
      expect((await stat(join(folder, 'start'))).mode & 0o777).toBe(0o755)
      for (const path of ['../x', '/etc/x', 'a/../../x']) {
        await expect(writeFiles(folder, [{ path, content: '' }])).rejects.toThrow(/may not write/)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('the session', () => {
  /** A program that answers each line by `reply`, which may print what it likes, later, or end. */
  const program = (
    reply: (line: string, print: (text: string) => void, end: () => void) => void,
  ) => {
    let started = 0
    const exec = async (): Promise<ExecSession> => {
      started++
      const stdout = new PassThrough()
      const { promise: exited, resolve } = Promise.withResolvers<number>()
      const stdin = new Duplex({
        read: () => undefined,
        write: (chunk: Buffer, _, done) => {
          reply(
            chunk.toString().trim(),
            (text) => stdout.write(text),
            () => resolve(1),
          )
          done()
        },
      })
      return { stdin, stdout, stderr: new PassThrough(), exited, resize: async () => undefined }
    }
    return { exec, started: () => started }
  }
  const session: Session = {
    command: ['x'],
    ask: (mark) => `${mark}\n`,
    read: (answer): Answer | null =>
      answer === ''
        ? null
        : {
            status: { role: 'ready', size: answer.length, component: 'c', leads: null },
            position: null,
            causal: true,
            stuck: null,
            doing: null,
          },
    everyMs: 10,
    timeoutMs: 50,
  }
  const answersOf = async (
    reply: Parameters<typeof program>[0],
    count: number,
  ): Promise<{ sizes: (number | null)[]; started: number }> => {
    const { exec, started } = program(reply)
    const sizes: (number | null)[] = []
    const done = Promise.withResolvers<void>()
    await using _watch = new SessionWatch({
      engine: { exec },
      container: 'c1',
      session,
      clock: systemClock,
      onAnswer: (answer) => {
        sizes.push(answer?.status.size ?? null)
        if (sizes.length === count) done.resolve()
      },
      onProblem: () => undefined,
    })
    await done.promise
    return { sizes: sizes.slice(0, count), started: started() }
  }

  it('asks again and again, and takes each answer by its mark', async () => {
    let n = 0
    const reply = (mark: string, print: (text: string) => void) => {
      n++
      for (const part of ['x'.repeat(n), '\n', mark, '\n']) print(part)
    }
    expect(await answersOf(reply, 3)).toEqual({ sizes: [2, 3, 4], started: 1 })
  })
  it('reads what has come when the time is up, and never takes it for the next answer', async () => {
    let n = 0
    const reply = (mark: string, print: (text: string) => void) => {
      n++
      if (n > 1) return print(`yy\n${mark}\n`)
      print('x\nhalf')
      setTimeout(() => print(` line\n${mark}\n`), 70)
    }
    expect(await answersOf(reply, 2)).toEqual({ sizes: [2, 3], started: 1 })
  })
  it('says so when there is no answer', async () => {
    expect((await answersOf(() => undefined, 3)).sizes).toEqual([null, null, null])
  })
  it('starts a program that has ended anew', async () => {
    let n = 0
    const reply = (mark: string, print: (text: string) => void, end: () => void) => {
      if (++n === 2) end()
      else print(`x\n${mark}\n`)
    }
    expect(await answersOf(reply, 3)).toEqual({ sizes: [2, null, 2], started: 2 })
  })
})
