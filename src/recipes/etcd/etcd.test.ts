import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Situation, Start } from '../recipe.ts'
import { etcd } from './index.ts'
import { readRecovered } from './recover.ts'
import { readAnswer } from './session.ts'
import { readRestored } from './snapshots.ts'

const situation = (start: Start): Situation => ({
  cluster: 'shop_kv',
  uid: '0123456789abcdef',
  epoch: 4,
  self: 'shop_kv-2',
  name: 'tasks.shop_kv-2',
  subnet: '10.0.1.0/24',
  hostAddress: '192.0.2.7',
  peers: [
    { id: 'shop_kv-1', name: 'tasks.shop_kv-1', address: null, ready: false },
    { id: 'shop_kv-3', name: 'tasks.shop_kv-3', address: '10.0.1.5', ready: true },
  ],
  donors: [],
  writer: null,
  options: {},
  start,
})
const position = { history: 'cdf818194e3a8c32', sequence: '812' }
const STARTS: Record<string, Start> = {
  form: { kind: 'form', with: ['shop_kv-1', 'shop_kv-2', 'shop_kv-3'] },
  first: { kind: 'first', position },
  join: { kind: 'join', position: null },
  rejoin: { kind: 'rejoin', position },
}
const script = (start: Start): string =>
  etcd.render(situation(start)).find(({ path }) => path === 'start')?.content ?? ''

describe('what a member starts with', () => {
  it.each(Object.entries(STARTS))('is as written down: %s', async (name, start) => {
    execFileSync('sh', ['-n'], { input: script(start) })
    await expect(script(start)).toMatchFileSnapshot(`golden/${name}.txt`)
  })
  it('founds a cluster only where it is told to, under a name of this epoch alone', () => {
    for (const [name, start] of Object.entries(STARTS)) {
      const founds = /STATE=new|--force-new-cluster/.test(script(start))
      expect([name, founds]).toEqual([name, start.kind === 'form' || start.kind === 'first'])
    }
    expect(script({ kind: 'form', with: ['shop_kv-2'] })).toContain('TOKEN=0123456789abcdef-4')
  })
  it('forgets what lost its data only when it has none', () => {
    expect(script({ kind: 'join', position: null })).toContain('member remove')
    expect(script({ kind: 'join', position })).not.toContain('member remove')
    expect(script({ kind: 'rejoin', position: null })).not.toContain('member remove')
  })
})

/** What the script's own functions answer, beside such snapshots and at such a date. */
const asked = (functions: string, { files, now }: { files: string[]; now: number }): string => {
  const folder = mkdtempSync(join(tmpdir(), 'snapshots-'))
  try {
    mkdirSync(join(folder, 'snapshots'))
    for (const name of files) writeFileSync(join(folder, 'snapshots', name), '')
    const text = script({ kind: 'rejoin', position })
    const own = text.slice(text.indexOf('newest() {'), text.indexOf('snapshots() {'))
    const input = `date() { echo ${now}; }\n${own.replaceAll('/var/lib/etcd', folder)}${functions}`
    return execFileSync('sh', ['-eu'], { input, encoding: 'utf8' }).trim()
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('the date of a snapshot', () => {
  const files = ['cdf8-9-1763730000.db', 'cdf8-812-1763740000.db', 'new']

  it('is later than any before, whatever the clock shows', () => {
    expect(asked('stamp', { files: [], now: 1763750000 })).toBe('1763750000')
    expect(asked('stamp', { files, now: 1763750000 })).toBe('1763750000')
    expect(asked('stamp', { files, now: 1763740000 })).toBe('1763740001')
    expect(asked('stamp', { files, now: 1600000000 })).toBe('1763740001')
  })
  it('never keeps the next from being made', () => {
    expect(asked('due', { files: [], now: 1763740100 })).toBe('0')
    expect(asked('due', { files, now: 1763740100 })).toBe('200')
    expect(asked('due', { files, now: 1763790000 })).toBe('0')
    expect(asked('due', { files, now: 1600000000 })).toBe('300')
  })
})

describe('what the file says', () => {
  const options = (servers: string) => etcd.options({}, new Map([['MIN_SERVERS', servers]]))
  it('is how many form the cluster', () => {
    expect(etcd.founders?.(etcd.options({}, new Map()))).toBe(null)
    expect(etcd.founders?.(options(''))).toBe(null)
    expect(etcd.founders?.(options(' 5 '))).toBe(5)
    // Of an older version.
    expect(etcd.founders?.({})).toBe(null)
  })
  it('is refused when it makes no sense', () => {
    for (const wrong of ['0', '-1', 'three', '1.5', '3;reboot']) {
      expect(() => options(wrong)).toThrow('is no number of members')
    }
    expect(() => etcd.options({ server: 3 }, new Map())).toThrow('no option "server"')
    for (const wrong of [true, { every: '0s' }, { every: '5 minutes' }, { keep: 0 }]) {
      expect(() => etcd.options({ snapshots: wrong }, new Map())).toThrow('snapshots')
    }
  })
  it('is how often a snapshot is made', () => {
    const given = (snapshots: unknown) => etcd.options({ snapshots }, new Map())['snapshots']
    expect(etcd.options({}, new Map())['snapshots']).toEqual({ everyMs: 300_000, keep: 3 })
    expect(given({ every: '10m', keep: 5 })).toEqual({ everyMs: 600_000, keep: 5 })
    expect(given(false)).toBe(null)
    const lines = (options: Record<string, unknown>) =>
      etcd.render({ ...situation(STARTS['form']!), options })[0]?.content
    expect(lines({ snapshots: null })).not.toContain('snapshot')
    expect(lines({})).toContain('snapshot save')
  })
})

describe('a snapshot', () => {
  const { snapshots } = etcd
  it('is what its name says', () => {
    expect(snapshots?.read('cdf818194e3a8c32-812-1763740000.db')).toEqual({
      position,
      at: 1_763_740_000_000,
    })
    for (const other of [
      'new',
      'new.part',
      'a-1-1763740000.db.damaged',
      'a-01-1763740000.db',
      '',
    ]) {
      expect(snapshots?.read(other)).toBe(null)
    }
  })
  it('is damaged only if that was said', () => {
    const read = (exit: number, stderr = '') => readRestored({ exit, stdout: '', stderr })
    expect(read(0)).toEqual({ damaged: null })
    expect(read(1, 'Error: expected sha256 [1], got [2]')?.damaged).toContain('sha256')
    expect(read(1, 'no space left on device')).toBe(null)
    expect(read(137)).toBe(null)
  })
  it('is put in the place of the data by a script that a shell can read', () => {
    const [shell = '', flag = '', text = ''] =
      snapshots?.restore('cdf818194e3a8c32-812-1763740000.db', 'x1').command ?? []
    execFileSync(shell, ['-n', flag, text])
    execFileSync('sh', ['-n'], { input: text })
  })
})

describe('what recovery says', () => {
  const read = (stdout: string, exit = 0, stderr = '') => readRecovered({ exit, stdout, stderr })
  it('is read', () => {
    expect(read('recovered: cdf818194e3a8c32:812\n')).toEqual({
      position,
      clean: false,
      damaged: null,
    })
    expect(read('empty: yes')).toEqual({ position: null, clean: false, damaged: null })
    expect(read('', 1, 'walpb: crc mismatch')?.damaged).toContain('crc mismatch')
    for (const said of [
      '2026-11-21 17:03:38 C | etcdmain: wal: max entry size limit exceeded',
      '2026-11-21 17:04:07 C | etcdmain: proto: wrong wireType = 0 for field Data',
      'panic: freepages: failed to get all reachable pages (page -67: out of bounds: 5)',
      'panic: runtime error: index out of range [-1]',
      'corrupt: there is no log',
    ]) {
      expect(read('', 1, said)?.damaged).toContain(said)
    }
    expect(read('', 1, 'no space left on device')).toBe(null)
    expect(read('', 1, 'panic: write /var/lib/etcd/x: no space left on device')).toBe(null)
    expect(read('')).toBe(null)
  })
  it('is never guessed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.nat(255), (text, exit) => {
        expect(read(text, exit)?.position ?? null).toBe(null)
      }),
    )
  })
})

describe('what a running member says', () => {
  const said = (over: Record<string, string> = {}) =>
    Object.entries({
      '"ClusterID"': '14841639068965178418',
      '"MemberID"': '10276657743932975437',
      '"Version"': '"3.4.23"',
      '"Leader"': '10276657743932975437',
      '"IsLearner"': 'false',
      '"RaftIndex"': '812',
      ...over,
    })
      .map(([key, value]) => `${key} : ${value}`)
      .join('\n')

  it('is read', () => {
    expect(readAnswer(`${said()}\nmembers: 3\ncausal: yes`)).toEqual({
      status: { role: 'ready', size: 3, component: 'cdf818194e3a8c32', leads: true },
      position,
      causal: true,
      stuck: null,
      doing: null,
    })
  })
  it('is outside without a leader, joining as a learner', () => {
    expect(readAnswer(`${said({ '"Leader"': '0' })}\ncausal: yes`)).toMatchObject({
      causal: false,
      position,
      status: { role: 'outside', component: null, leads: false },
    })
    expect(readAnswer(said({ '"IsLearner"': 'true' }))?.status.role).toBe('joining')
    expect(readAnswer('starting: yes')?.status.role).toBe('outside')
  })
  it('is unknown rather than guessed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(readAnswer(text)?.status.role ?? 'outside').toBe('outside')
      }),
    )
  })
})
