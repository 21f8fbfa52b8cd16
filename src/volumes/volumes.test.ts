import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MusterError } from '../base/index.ts'
import {
  type Gate,
  PluginServer,
  VolumeStore,
  checkName,
  parseOptions,
  volumeDriver,
} from './index.ts'

const MEMBER = { type: 'local', cluster: 'shop_db', member: 'shop_db-1' }

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'volumes-'))
})
afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

const openStore = async (): Promise<VolumeStore> => {
  const folders = { folder: join(root, 'state'), runFolder: join(root, 'run') }
  const store = new VolumeStore(folders)
  await store.load()
  return store
}

describe('names and options', () => {
  it('lets no name out of its folder', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        for (const name of [`${a}/${b}`, `.${a}`, `${a}\0`, `..`, '']) {
          expect(() => checkName(name)).toThrow(MusterError)
        }
      }),
    )
    expect(checkName('shop_data.3')).toBe('shop_data.3')
    expect(() => checkName('a'.repeat(201))).toThrow(/at most 200/)
  })

  it.each([
    [{ type: 'nfs' }, /no type "nfs"/],
    [{ size: '1g' }, /no option "size"/],
    [{ per: 'host' }, /takes "slot"/],
    [{ member: 'shop_db-1' }, /needs both/],
    [{ cluster: '../x', member: 'y' }, /is no name/],
  ])('refuses %o', (options: Record<string, string>, words) => {
    expect(() => parseOptions(options)).toThrow(words)
  })
})

describe('VolumeStore', () => {
  it('keeps a volume and its marker over a restart', async () => {
    const store = await openStore()
    const made = await store.create('shop_db-1', parseOptions(MEMBER))
    await writeFile(join(store.path(made), 'row'), '1')
    await store.mark('shop_db-1', { epoch: 7, joined: 'abc' })
    const again = await openStore()
    const record = again.get('shop_db-1')
    expect(record).toMatchObject({ uid: made.uid, marker: { epoch: 7, joined: 'abc' } })
    expect(await readFile(join(again.path(made), 'row'), 'utf8')).toBe('1')
  })

  it('takes other harmless options, and refuses to make it somebody else', async () => {
    const store = await openStore()
    const { uid } = await store.create('a', parseOptions({}))
    const changed = await store.create('a', parseOptions({ stack: 'shop', per: 'slot' }))
    expect(changed).toMatchObject({ uid, stack: 'shop', perSlot: true })
    await expect(store.create('a', parseOptions(MEMBER))).rejects.toThrow(/cannot become of member/)
    await expect(store.create('a', parseOptions({ type: 'run' }))).rejects.toThrow(/of type local/)
  })

  it('ends a deletion that was cut off, and a volume that was never made', async () => {
    await mkdir(join(root, 'state/.trash-a-1/data'), { recursive: true })
    await mkdir(join(root, 'state/b/data'), { recursive: true })
    const store = await openStore()
    expect(await readdir(join(root, 'state'))).toEqual(['b'])
    expect(store.list()).toEqual([])
    expect(await store.create('b', parseOptions({}))).toMatchObject({ name: 'b' })
  })

  it('gives no data away whose record it cannot read', async () => {
    await mkdir(join(root, 'state/c/data'), { recursive: true })
    await writeFile(join(root, 'state/c/data/row'), '1')
    const store = await openStore()
    expect(() => store.get('c')).toThrow(/volume c cannot be used/)
    await expect(store.create('c', parseOptions({}))).rejects.toThrow(/cannot be used/)
    expect(existsSync(join(root, 'state/c/data/row'))).toBe(true)
    await store.remove('c')
    expect(store.get('c')).toBeUndefined()
  })

  it('never takes an empty folder for lost data', async () => {
    const store = await openStore()
    const plain = await store.create('plain', parseOptions({}))
    const member = await store.create('shop_db-1', parseOptions(MEMBER))
    await store.mark('shop_db-1', { epoch: 4, founded: 3, joined: 'abc' })
    await rm(join(root, 'state/plain/data'), { recursive: true })
    await rm(join(root, 'state/shop_db-1'), { recursive: true })
    await expect(store.use(plain.name)).rejects.toThrow(/the data of volume plain are gone/)
    const renewed = await store.use(member.name)
    expect(renewed.uid).not.toBe(member.uid)
    // What was promised of the place still holds; what was said of the data does not.
    expect(renewed.marker).toMatchObject({ epoch: 4, founded: 0, joined: null })
    expect((await openStore()).get('shop_db-1')?.uid).toBe(renewed.uid)
  })

  it('makes volumes of type run anew after a reboot', async () => {
    const store = await openStore()
    const made = await store.create('shop_db-1.run', parseOptions({ ...MEMBER, type: 'run' }))
    await rm(join(root, 'run'), { recursive: true })
    const again = await openStore()
    expect(await again.use(made.name)).toMatchObject({ uid: made.uid })
    expect(existsSync(again.path(made))).toBe(true)
  })
})

describe('the plugin', () => {
  let server: PluginServer
  let store: VolumeStore
  let gate: Gate
  let permitted: boolean
  const socket = () => join(root, 'plugins/muster.sock')

  const call = async (operation: string, body: object = {}): Promise<Record<string, unknown>> => {
    const asked = request({ socketPath: socket(), method: 'POST', path: `/${operation}` })
    asked.end(JSON.stringify(body))
    const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      asked.once('response', resolve)
      asked.once('error', reject)
    })
    return JSON.parse(await text(response)) as Record<string, unknown>
  }

  beforeEach(async () => {
    store = await openStore()
    gate = async () => undefined
    permitted = false
    server = new PluginServer({
      socket: socket(),
      operations: volumeDriver({
        store,
        gate: (...args) => gate(...args),
        mayRemove: () => permitted,
      }),
      onError: () => undefined,
    })
    await server.start()
  })
  afterEach(async () => {
    await server[Symbol.asyncDispose]()
  })

  it('serves the whole life of a volume', async () => {
    expect(await call('Plugin.Activate')).toMatchObject({ Implements: ['VolumeDriver'] })
    expect(await call('VolumeDriver.Get', { Name: 'a' })).toEqual({ Err: 'no such volume: a' })
    expect(await call('VolumeDriver.Create', { Name: 'a', Opts: null })).toEqual({ Err: '' })
    const { Mountpoint } = await call('VolumeDriver.Mount', { Name: 'a', ID: '1' })
    expect(existsSync(String(Mountpoint))).toBe(true)
    expect(await call('VolumeDriver.Path', { Name: 'a' })).toMatchObject({ Mountpoint })
    expect(await call('VolumeDriver.List')).toMatchObject({ Volumes: [{ Name: 'a', Mountpoint }] })
    expect(await call('VolumeDriver.Unmount', { Name: 'a', ID: '1' })).toEqual({ Err: '' })
    expect(store.get('a')?.lastUse).not.toBeNull()
    expect(await call('VolumeDriver.Remove', { Name: 'a' })).toEqual({ Err: '' })
    expect(existsSync(String(Mountpoint))).toBe(false)
  })

  it('answers nonsense with a sentence', async () => {
    expect((await call('VolumeDriver.Create', { Name: '../etc' }))['Err']).toMatch(/no name/)
    expect((await call('Nonsense'))['Err']).toMatch(/has no \/Nonsense/)
    const opts = { Name: 'a', Opts: { type: 'ceph' } }
    expect((await call('VolumeDriver.Create', opts))['Err']).toMatch(/no type "ceph"/)
  })

  it('lets a member wait at its gate, and shows why it may not', async () => {
    await call('VolumeDriver.Create', { Name: 'shop_db-1', Opts: MEMBER })
    gate = () => Promise.reject(new MusterError('CONFLICT', 'it would be the second primary.'))
    const refused = await call('VolumeDriver.Mount', { Name: 'shop_db-1', ID: '1' })
    expect(refused['Err']).toBe('it would be the second primary.')
    const open = Promise.withResolvers<void>()
    gate = () => open.promise
    const mounting = call('VolumeDriver.Mount', { Name: 'shop_db-1', ID: '2' })
    // The others are served meanwhile.
    expect(await call('VolumeDriver.Get', { Name: 'shop_db-1' })).toMatchObject({ Err: '' })
    open.resolve()
    expect(await mounting).toMatchObject({ Err: '' })
  })

  it('tells the gate when Docker has gone', async () => {
    await call('VolumeDriver.Create', { Name: 'shop_db-1', Opts: MEMBER })
    const waiting = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    gate = (_, __, signal) =>
      new Promise((_, reject) => {
        waiting.resolve()
        signal.addEventListener('abort', () => {
          gone.resolve()
          reject(new Error('gone'))
        })
      })
    const asked = request({ socketPath: socket(), method: 'POST', path: '/VolumeDriver.Mount' })
    asked.on('error', () => undefined)
    asked.end(JSON.stringify({ Name: 'shop_db-1', ID: '1' }))
    await waiting.promise
    asked.destroy()
    await gone.promise
  })

  it("removes a member's data only when a person has said so", async () => {
    await call('VolumeDriver.Create', { Name: 'shop_db-1', Opts: MEMBER })
    const refused = await call('VolumeDriver.Remove', { Name: 'shop_db-1' })
    expect(refused['Err']).toMatch(/muster volume rm shop_db-1/)
    permitted = true
    expect(await call('VolumeDriver.Remove', { Name: 'shop_db-1' })).toEqual({ Err: '' })
  })
})
