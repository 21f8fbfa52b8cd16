import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AdminConnection,
  commandsOf,
  failureOf,
  isBusy,
  parseInfo,
  parseProxies,
  parseServers,
  parseSessions,
} from './runtime.ts'

describe('answers of HAProxy', () => {
  it('show info', () => {
    expect(parseInfo('Name: HAProxy\nPid: 42\nnode: x\ndescription: muster-ab12\n')).toEqual({
      pid: 42,
      revision: 'muster-ab12',
    })
    expect(parseInfo('Pid: 42\n').revision).toBe('')
    expect(() => parseInfo('Unknown command.')).toThrow(/show info/)
  })

  it('show servers state', () => {
    const head =
      '1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_port\n'
    const servers = parseServers(
      `${head}4 w 1 a 10.0.0.1 2 0 1 80\n4 w 2 b 10.0.0.2 2 8 1 80\n5 v 1 a 10.0.0.3 0 1 1 81\n`,
    )
    expect(Object.fromEntries(servers.get('w') ?? [])).toEqual({
      a: { address: '10.0.0.1', port: 80, state: 'ready' },
      b: { address: '10.0.0.2', port: 80, state: 'drain' },
    })
    expect(servers.get('v')?.get('a')).toEqual({ address: '10.0.0.3', port: 81, state: 'maint' })
    expect(() => parseServers('Permission denied')).toThrow(/no column/)
  })

  it('show stat', () => {
    expect(
      parseProxies('# pxname,svname,\nport-80,FRONTEND,,\nx,FRONTEND,,\nw,BACKEND,0\n'),
    ).toEqual({ ports: new Set([80]), backends: ['w'] })
    expect(parseSessions('# pxname,svname,qcur,qmax,scur\nw,a,0,0,3,5\nw,b,0,0,0,5\n')).toEqual(
      new Map([
        ['w/a', 3],
        ['w/b', 0],
      ]),
    )
  })

  it.each([
    ['', null],
    ['New server registered.', null],
    ['Server deleted.', null],
    ["IP changed from '10.0.0.1' to '10.0.0.2' by 'stats socket command'", null],
    ['no need to change the addr, no need to change the port', null],
    ['No such server.', 'No such server.'],
    ['Something new', 'Something new'],
  ])('%j means %j', (answer, failure) => {
    expect(failureOf(answer)).toBe(failure)
  })

  it('a server with connections is busy', () => {
    expect(isBusy('Server still has connections attached to it, cannot remove it.')).toBe(true)
    expect(isBusy('No such server.')).toBe(false)
  })
})

describe('commandsOf', () => {
  it('gives a new server all its options and starts its checks', () => {
    const server = { name: 'a', endpoint: 'a', address: '10.0.0.1', port: 80 }
    expect(commandsOf({ verb: 'add', backend: 'w', server }, 'check inter 1s')).toEqual([
      'add server w/a 10.0.0.1:80 check inter 1s',
      'enable server w/a',
      'enable health w/a',
    ])
    expect(commandsOf({ verb: 'shutdown', backend: 'w', name: 'a' }, '')).toEqual([
      'shutdown sessions server w/a',
    ])
  })
})

describe('AdminConnection', () => {
  let folder: string
  let path: string
  let close: () => Promise<void>

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-admin-'))
    path = join(folder, 'admin.sock')
  })
  afterEach(async () => {
    await close()
    await rm(folder, { recursive: true })
  })

  /** A socket that answers each line. */
  const listen = (answer: (line: string, socket: Socket) => string | null) =>
    new Promise<void>((resolve) => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.on('data', (data) => {
          for (const line of data.toString().trimEnd().split('\n')) {
            const text = line === 'prompt' ? '' : answer(line, socket)
            if (text !== null) socket.write(`${text}\n> `)
          }
        })
      }).listen(path, resolve)
      close = () => {
        for (const socket of sockets) socket.destroy()
        return new Promise((done) => server.close(() => done()))
      }
    })

  it('matches answers to commands that were sent together, however they arrive', async () => {
    await listen((line, socket) => {
      const text = `<${line}>\n`
      socket.write(text.slice(0, 3))
      return text.slice(3)
    })
    await using admin = await AdminConnection.open(path)
    const answers = await Promise.all(['one', 'two', 'three'].map((line) => admin.command(line)))
    expect(answers).toEqual(['<one>', '<two>', '<three>'])
  })

  it('fails everything at once when HAProxy goes away', async () => {
    await listen((line, socket) => {
      if (line === 'die') socket.destroy()
      return null
    })
    await using admin = await AdminConnection.open(path)
    const [one, two] = await Promise.allSettled([admin.command('wait'), admin.command('die')])
    expect(one).toMatchObject({ reason: { code: 'AGENT_UNREACHABLE' } })
    expect(two).toMatchObject({ reason: { code: 'AGENT_UNREACHABLE' } })
    await admin.closed
    expect(admin.open).toBe(false)
    await expect(admin.command('more')).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' })
  })

  it('does not wait for ever, nor without a socket', async () => {
    await listen(() => null)
    await using admin = await AdminConnection.open(path, 100)
    await expect(admin.command('hang')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(AdminConnection.open(join(folder, 'none'))).rejects.toMatchObject({
      code: 'AGENT_UNREACHABLE',
    })
  })

  it('sends one command at a time, whatever it is given', async () => {
    await listen(() => '')
    await using admin = await AdminConnection.open(path)
    expect(() => admin.command('show info\nset server x state maint')).toThrow(/not one command/)
    expect(() => admin.command('a;b')).toThrow(/not one command/)
  })
})
