import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Situation, Start } from '../recipe.ts'
import { galera } from './index.ts'
import { readRecovered, RECOVER_SCRIPT } from './recover.ts'
import { readAnswer } from './session.ts'

const HISTORY = '6a2f0d1e-c6c1-11f0-9d2a-0b1c2d3e4f50'
const NONE = '00000000-0000-0000-0000-000000000000'

const situation = (start: Start, over: Partial<Situation> = {}): Situation => ({
  cluster: 'shop_db',
  uid: '0123456789abcdef',
  epoch: 4,
  self: 'shop_db-2',
  name: 'shop_db-2',
  subnet: '10.0.1.0/24',
  hostAddress: '192.0.2.7',
  peers: [
    { id: 'shop_db-1', name: 'shop_db-1', address: '10.0.1.5', ready: true },
    { id: 'shop_db-3', name: 'shop_db-3', address: null, ready: false },
  ],
  donors: ['shop_db-3', 'shop_db-1'],
  writer: 'shop_db-1',
  options: {},
  start,
  ...over,
})

const position = { history: HISTORY, sequence: '350454' }
const STARTS: Record<string, Start> = {
  form: { kind: 'form', with: ['shop_db-2'] },
  first: { kind: 'first', position },
  'join with data': { kind: 'join', position },
  'join empty': { kind: 'join', position: null },
}
const file = (given: Situation, path: string): string =>
  galera.render(given).find((each) => each.path === path)?.content ?? ''

describe('what a member starts with', () => {
  it.each(Object.entries(STARTS))('is as written down: %s', async (name, start) => {
    const text = galera
      .render(situation(start))
      .map(({ path, content, mode }) => `=== ${path} ${(mode ?? 0o644).toString(8)}\n${content}`)
      .join('\n')
    await expect(text).toMatchFileSnapshot(`golden/${name.replaceAll(' ', '-')}.txt`)
  })

  it.each(Object.entries(STARTS))('is a script that the shell accepts: %s', (_, start) => {
    for (const options of [{}, { tls: true }]) {
      for (const { content, mode } of galera.render(situation(start, { options }))) {
        if (mode !== undefined) execFileSync('sh', ['-n'], { input: content })
      }
    }
  })

  it('founds a cluster only where it is told to', () => {
    for (const [name, start] of Object.entries(STARTS)) {
      const script = file(situation(start), 'start')
      const founds = /--wsrep-new-cluster|safe_to_bootstrap: 1|^state \S+ 1$|gcomm:\/\/$/m.test(
        script,
      )
      expect([name, founds]).toEqual([name, start.kind === 'form' || start.kind === 'first'])
    }
  })

  it('goes by addresses, and only to those that have one', () => {
    expect(file(situation({ kind: 'join', position }), 'start')).toContain(
      'join=gcomm://10.0.1.5:4567\n',
    )
  })

  it('founds nothing when there is nobody to join', () => {
    const script = file(situation({ kind: 'join', position: null }, { peers: [] }), 'start')
    expect(script).toContain('there is nobody to join"\nexit 1\n')
    expect(script).not.toContain('gcomm://')
  })

  it('joins members outside, and is reached at its host', () => {
    const options = galera.options(
      { members: ['db.lan', '192.0.2.9:5567'], cluster: 'old' },
      new Map(),
    )
    const alone = situation({ kind: 'join', position }, { peers: [], options })
    expect(file(alone, 'start')).toContain('join=gcomm://db.lan:4567,192.0.2.9:5567\n')
    expect(file(alone, 'start')).toContain('\naddress=192.0.2.7\n')
    expect(file(alone, 'my.cnf')).toContain('wsrep_cluster_name=old\n')
    expect(file(alone, 'my.cnf')).toContain('ist.recv_bind=0.0.0.0')
    expect(galera.outside?.(options)).toEqual({
      members: ['db.lan', '192.0.2.9:5567'],
      ports: [4567, 4568, 4444],
    })
    // Whoever is ready knows the others, and belongs to the right cluster.
    const together = situation({ kind: 'join', position }, { options })
    expect(file(together, 'start')).toContain('join=gcomm://10.0.1.5:4567\n')
    execFileSync('sh', ['-n'], { input: file(alone, 'start') })
    const lost = situation({ kind: 'join', position }, { hostAddress: null, options })
    expect(file(lost, 'start')).toContain('address of its host is not known"; exit 1')
  })

  it('prefers the donors that it is given', () => {
    expect(file(situation({ kind: 'join', position }), 'my.cnf')).toContain(
      'wsrep_sst_donor=shop_db-3,shop_db-1,\n',
    )
  })

  it('takes writes at once only if it is the writer', () => {
    const settings = (writer: string | null) =>
      file(situation({ kind: 'join', position }, { writer }), 'my.cnf')
    expect(settings('shop_db-2')).toContain('read_only=OFF')
    expect(settings('shop_db-1')).toContain('read_only=ON')
    expect(settings(null)).toContain('read_only=ON')
  })

  it('refuses positions that are none', () => {
    for (const history of ['', 'x; rm -rf /', `${HISTORY}\n`]) {
      const start: Start = { kind: 'first', position: { history, sequence: '1' } }
      expect(() => galera.render(situation(start))).toThrow('no position')
    }
  })

  it('has a cluster name that is not too long and not mistaken for another', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z][a-z0-9_-]{0,60}$/), (cluster) => {
        const name = /wsrep_cluster_name=(.*)/.exec(
          file(situation({ kind: 'join', position }, { cluster }), 'my.cnf'),
        )?.[1]
        expect(name?.length).toBeLessThanOrEqual(32)
        expect(name?.endsWith('-01234567')).toBe(true)
      }),
    )
  })
})

describe('the address in a range', () => {
  const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.0.1.0
        /24 link UNICAST
     |-- 10.0.1.7
        /32 host LOCAL
     |-- 10.0.1.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 172.18.0.3
        /32 host LOCAL
`
  const find = (subnet: string): string => {
    const folder = mkdtempSync(join(tmpdir(), 'trie-'))
    try {
      writeFileSync(join(folder, 'trie'), trie)
      const script = file(situation({ kind: 'join', position }, { subnet }), 'start')
      const [, command = ''] = /^address=\$\(([^]*?)\) \|\|/m.exec(script) ?? []
      return execFileSync('sh', ['-c', command.replace('/proc/net/fib_trie', `${folder}/trie`)])
        .toString()
        .trim()
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  it('is found', () => {
    expect(find('10.0.1.0/24')).toBe('10.0.1.7')
    expect(find('10.0.0.0/8')).toBe('10.0.1.7')
    expect(find('172.18.0.0/16')).toBe('172.18.0.3')
    expect(() => find('10.0.2.0/24')).toThrow()
  })
})

describe('what recovery says', () => {
  const read = (stdout: string, exit = 0, stderr = '') => readRecovered({ exit, stdout, stderr })
  const state = (uuid: string, seqno: string) =>
    `state: # GALERA saved state\nstate: version: 2.1\nstate: uuid:    ${uuid}\nstate: seqno:   ${seqno}\nstate: safe_to_bootstrap: 0\n`

  it('is the position of InnoDB', () => {
    expect(read(`${state(HISTORY, '-1')}recovered: ${HISTORY}:350454\n`)).toEqual({
      position,
      clean: false,
      damaged: null,
    })
  })
  it('is a line of its own, though the state file before it may have no end', () => {
    const folder = mkdtempSync(join(tmpdir(), 'muster-galera-'))
    try {
      const bin = join(folder, 'bin')
      for (const each of [bin, join(folder, 'mysql'), join(folder, 'run')]) mkdirSync(each)
      // A server that tells the position; the rest of the machine is as it is.
      const server = `#!/bin/sh\necho "[Note] WSREP: Recovered position: ${HISTORY}:6"\n`
      writeFileSync(join(bin, 'mariadbd'), server, { mode: 0o755 })
      writeFileSync(join(bin, 'chown'), '#!/bin/sh\n', { mode: 0o755 })
      writeFileSync(join(folder, 'galera.so'), '')
      // As Galera leaves it when -1 becomes 6.
      writeFileSync(
        join(folder, 'grastate.dat'),
        `# GALERA saved state\nversion: 2.1\nuuid:    ${HISTORY}\nseqno:   6\nsafe_to_bootstrap: 0\n `,
      )
      const script = RECOVER_SCRIPT.replaceAll('/var/lib/mysql', folder)
        .replaceAll('/run/mysqld', join(folder, 'run'))
        .replaceAll('/usr/lib/galera/libgalera_smm.so', join(folder, 'galera.so'))
      const stdout = execFileSync('sh', ['-c', script], {
        env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
      }).toString()
      expect(read(stdout)).toEqual({
        position: { history: HISTORY, sequence: '6' },
        clean: true,
        damaged: null,
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
  it('knows a clean end', () => {
    expect(read(`${state(HISTORY, '350454')}recovered: ${HISTORY}:350454`)?.clean).toBe(true)
    expect(read(`${state(HISTORY, '350453')}recovered: ${HISTORY}:350454`)?.clean).toBe(false)
  })
  it('takes the form with a GTID', () => {
    expect(read(`recovered: ${HISTORY}:350454,0-1-77`)?.position).toEqual(position)
  })
  it('takes fresh data for data without a position', () => {
    const none = { position: null, clean: false, damaged: null }
    expect(read(`recovered: ${NONE}:-1`)).toEqual(none)
    expect(read('empty: yes')).toEqual(none)
    expect(read('forming: yes')).toEqual(none)
  })
  it('takes no position from data that Galera calls unsafe', () => {
    expect(read(`${state(NONE, '-1')}recovered: ${HISTORY}:350454`)).toMatchObject({
      position: null,
      damaged: expect.stringContaining('different'),
    })
    expect(read(`${state(HISTORY, '-1')}recovered: ${NONE}:-1`)?.damaged).toContain('no position')
    expect(read('transfer: cut off')?.damaged).toContain('cut off')
    expect(read(`prepared: rolled back\nrecovered: ${HISTORY}:5`)?.damaged).toContain('rolled back')
  })
  it('tells damage from bad luck', () => {
    const corrupt = '[ERROR] InnoDB: Database page corruption on disk'
    expect(read('', 1, corrupt)?.damaged).toContain('page corruption')
    expect(read('', 1, '[ERROR] InnoDB: Unable to lock ./ibdata1 error: 11')).toBe(null)
    expect(read('', 1, '[ERROR] InnoDB: preallocating 12582912 bytes: No space left')).toBe(null)
    expect(read('', 137, '')).toBe(null)
  })
  it('is never guessed from garbage', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), fc.nat(255), (text, exit) => {
        expect(read(text, exit)?.position ?? null).toBe(null)
      }),
    )
    fc.assert(
      fc.property(fc.uuid(), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (uuid, seqno) => {
        const whole = `recovered: ${uuid}:${seqno}\n`
        expect(read(whole)?.position).toEqual({ history: uuid, sequence: String(seqno) })
        // Cut off within the identity there is none.
        expect(read(whole.slice(0, 30))?.position ?? null).toBe(null)
      }),
    )
  })
})

describe('what a running member says', () => {
  const said = (over: Record<string, string> = {}, causal = true): string => {
    const rows = {
      wsrep_local_state: '4',
      wsrep_cluster_size: '3',
      wsrep_cluster_state_uuid: HISTORY,
      wsrep_cluster_status: 'Primary',
      wsrep_connected: 'ON',
      wsrep_last_committed: '350454',
      wsrep_local_recv_queue: '0',
      wsrep_ready: 'ON',
      wsrep_reject_queries: 'NONE',
      ...over,
    }
    const lines = Object.entries(rows).map(([key, value]) => `${key}\t${value}`)
    return [...lines, ...(causal ? ['muster_causal\t1'] : [])].join('\n')
  }

  it('is read', () => {
    expect(readAnswer(said())).toEqual({
      status: { role: 'ready', size: 3, component: HISTORY, leads: null },
      position,
      causal: true,
      stuck: null,
      doing: null,
    })
  })
  it.each([
    [{ wsrep_local_state: '1' }, 'joining'],
    [{ wsrep_local_state: '2' }, 'donor'],
    [{ wsrep_local_state: '3' }, 'joining'],
    [{ wsrep_local_state: '0' }, 'outside'],
    [{ wsrep_cluster_status: 'non-Primary' }, 'outside'],
    [{ wsrep_cluster_status: 'Disconnected' }, 'outside'],
    [{ wsrep_connected: 'OFF' }, 'outside'],
    [{ wsrep_ready: 'OFF' }, 'outside'],
    [{ wsrep_reject_queries: 'ALL' }, 'outside'],
  ])('%o is %s; only a donor may be causal, too', (over, role) => {
    const answer = readAnswer(said(over))
    expect(answer?.status.role).toBe(role)
    expect(answer?.causal).toBe(role === 'donor')
  })
  it('is not causal when the probe did not come back', () => {
    expect(readAnswer(said({}, false))).toMatchObject({ causal: false, status: { role: 'ready' } })
  })
  it('tells where it is although it is outside', () => {
    expect(readAnswer(said({ wsrep_cluster_status: 'non-Primary' }))).toMatchObject({
      position,
      status: { component: null, size: 0 },
    })
    expect(readAnswer(said({ wsrep_last_committed: '18446744073709551615' }))?.position).toBe(null)
    expect(readAnswer(said({ wsrep_last_committed: '-1' }))?.position).toBe(null)
  })
  it('knows when it has left for good', () => {
    expect(readAnswer(said({ wsrep_cluster_status: 'Disconnected' }))?.stuck).toContain('for good')
  })
  it('tells a transfer from sickness', () => {
    expect(readAnswer('muster_transfer\t319488')).toMatchObject({
      status: { role: 'joining' },
      doing: 'receiving state, 312 MB',
      stuck: null,
    })
    expect(readAnswer('muster_starting\t1')?.status.role).toBe('outside')
    expect(readAnswer('muster_denied\t1')).toMatchObject({
      status: { role: 'outside' },
      doing: expect.stringContaining('root@localhost'),
    })
  })
  it('is unknown rather than guessed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        expect(readAnswer(text)?.status.role ?? 'outside').toBe('outside')
      }),
    )
    fc.assert(
      fc.property(fc.nat(1000), (length) => {
        // Cut off anywhere, it never says more than the whole.
        const answer = readAnswer(said().slice(0, length))
        expect(answer === null || ['ready', 'outside'].includes(answer.status.role)).toBe(true)
      }),
    )
  })
  it('ends with the mark, in one line', () => {
    const line = galera.session.ask('m1')
    expect(line.split('\n')).toEqual([expect.stringContaining(`SELECT 'm1'; -- m1`), ''])
  })
})

describe('its options', () => {
  it('are checked', () => {
    expect(galera.options({}, new Map())).toEqual({ tls: false, provider: {} })
    expect(galera.options({ provider: { 'gcache.size': '2G' } }, new Map())).toMatchObject({
      provider: { 'gcache.size': '2G' },
    })
    expect(galera.outside?.(galera.options({}, new Map()))).toBe(null)
    expect(galera.outside?.(galera.options({ reachable: true }, new Map()))?.members).toEqual([])
    expect(() => galera.options({ members: ['10.0.0.5'] }, new Map())).toThrow(
      'what their cluster is called',
    )
    expect(() => galera.options({ members: ['a b'], cluster: 'x' }, new Map())).toThrow(
      'expected an address',
    )
    expect(() => galera.options({ reachable: true, tls: true }, new Map())).toThrow(
      'no certificate',
    )
    const environment = new Map([
      ['CLUSTER_MEMBERS', '10.0.0.5, 10.0.0.6:4567'],
      ['CLUSTER', 'database'],
    ])
    const told = { members: ['10.0.0.5', '10.0.0.6:4567'], cluster: 'database' }
    expect(galera.options({}, environment)).toMatchObject(told)
    expect(galera.options(galera.options({}, environment), new Map())).toMatchObject(told)
    expect(galera.options({ cluster: 'x' }, environment)).toMatchObject({ cluster: 'x' })
    expect(() => galera.options({ tsl: true }, new Map())).toThrow('no option "tsl"')
    expect(() =>
      galera.options({ provider: { 'gcache.size': '1;pc.bootstrap=true' } }, new Map()),
    ).toThrow()
  })
})

describe('what counts as data', () => {
  it('is a database, or what a transfer has left', () => {
    expect(galera.holdsData([])).toBe(false)
    expect(galera.holdsData(['lost+found'])).toBe(false)
    expect(galera.holdsData(['mysql', 'ibdata1'])).toBe(true)
    expect(galera.holdsData(['.sst'])).toBe(true)
    expect(galera.holdsData(['mysql', 'ibdata1', 'muster-forming'])).toBe(false)
  })
})
