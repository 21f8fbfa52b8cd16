import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addressText, parseAddress, resolveAddress } from './address.ts'
import { sshArguments } from './ssh.ts'

const parse = (text: string) => parseAddress(text, null, 'DOCKER_HOST')

describe('parseAddress', () => {
  it.each([
    ['unix:///run/docker.sock', { kind: 'unix', path: '/run/docker.sock' }],
    ['unix://', { kind: 'unix', path: '/var/run/docker.sock' }],
    ['tcp://10.0.0.1:2375', { kind: 'tcp', host: '10.0.0.1', port: 2375, tls: null }],
    ['tcp://box', { kind: 'tcp', host: 'box', port: 2375, tls: null }],
    ['tcp://[fd00::1]:99', { kind: 'tcp', host: 'fd00::1', port: 99, tls: null }],
    ['box:4243', { kind: 'tcp', host: 'box', port: 4243, tls: null }],
    ['ssh://box', { kind: 'ssh', host: 'box' }],
    [
      'ssh://me@box:2222/run/x.sock',
      { kind: 'ssh', host: 'box', user: 'me', port: 2222, socket: '/run/x.sock' },
    ],
  ])('reads %s', (text, address) => {
    expect(parse(text)).toEqual(address)
  })

  it.each([
    'npipe:////./pipe/docker',
    'tcp://',
    '://',
    'ssh://-oProxyCommand=evil',
    'ssh://-x@box',
  ])('refuses %s', (text) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) as string }),
    )
  })

  it('writes what it read', () => {
    for (const text of [
      'unix:///a',
      'tcp://box:1',
      'tcp://[::1]:2',
      'ssh://me@box:22/s',
      'ssh://box',
    ]) {
      expect(addressText(parse(text))).toBe(text)
    }
  })
})

describe('sshArguments', () => {
  it('runs dial-stdio on the other side and never asks questions', () => {
    expect(sshArguments({ kind: 'ssh', host: 'box', user: 'me', port: 22, socket: '/s' })).toEqual([
      '-T',
      '-o',
      'BatchMode=yes',
      '-o',
      'ConnectTimeout=10',
      '-l',
      'me',
      '-p',
      '22',
      '--',
      'box',
      'docker',
      '--host',
      'unix:///s',
      'system',
      'dial-stdio',
    ])
  })
})

describe('resolveAddress', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'muster-address-'))
  })
  afterEach(() => rmSync(home, { recursive: true }))

  const context = (name: string, host: string | undefined, tls: Record<string, string> = {}) => {
    const key = createHash('sha256').update(name).digest('hex')
    const meta = join(home, '.docker/contexts/meta', key)
    mkdirSync(meta, { recursive: true })
    const Endpoints = {
      docker: { ...(host !== undefined && { Host: host }), SkipTLSVerify: false },
    }
    writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Name: name, Metadata: {}, Endpoints }))
    const folder = join(home, '.docker/contexts/tls', key, 'docker')
    mkdirSync(folder, { recursive: true })
    for (const [file, text] of Object.entries(tls)) writeFileSync(join(folder, file), text)
  }
  const use = (name: string) =>
    writeFileSync(join(home, '.docker/config.json'), JSON.stringify({ currentContext: name }))
  const resolve = (env: Record<string, string> = {}, host?: string) =>
    resolveAddress({ HOME: home, ...env }, host)

  it('takes the usual socket when nothing says otherwise', () => {
    expect(resolve()).toEqual({ kind: 'unix', path: '/var/run/docker.sock' })
  })

  it('prefers a given host, then DOCKER_HOST, then DOCKER_CONTEXT, then the current context', () => {
    context('one', 'tcp://one:1')
    context('two', 'tcp://two:2')
    use('one')
    const at = (...args: Parameters<typeof resolve>) => addressText(resolve(...args))
    expect(at()).toBe('tcp://one:1')
    expect(at({ DOCKER_CONTEXT: 'two' })).toBe('tcp://two:2')
    expect(at({ DOCKER_CONTEXT: 'default' })).toBe('unix:///var/run/docker.sock')
    expect(at({ DOCKER_CONTEXT: 'two', DOCKER_HOST: 'unix:///env' })).toBe('unix:///env')
    expect(at({ DOCKER_HOST: 'unix:///env' }, 'unix:///given')).toBe('unix:///given')
  })

  it('reads certificates of a context and of DOCKER_CERT_PATH', () => {
    context('safe', 'tcp://safe:2376', { 'ca.pem': 'CA', 'cert.pem': 'CERT', 'key.pem': 'KEY' })
    const tls = { ca: 'CA', cert: 'CERT', key: 'KEY' }
    expect(resolve({ DOCKER_CONTEXT: 'safe' })).toMatchObject({ tls })
    const folder = join(home, 'certs')
    mkdirSync(folder)
    writeFileSync(join(folder, 'ca.pem'), 'OTHER')
    const env = { DOCKER_HOST: 'tcp://box', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder }
    expect(resolve(env)).toEqual({
      kind: 'tcp',
      host: 'box',
      port: 2376,
      tls: { ca: 'OTHER', cert: undefined, key: undefined },
    })
  })

  it('says what is wrong with a context', () => {
    const said = (text: string) =>
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(text) as string })
    expect(() => resolve({ DOCKER_CONTEXT: 'gone' })).toThrow(said('no docker context "gone"'))
    context('odd', 'npipe:////./pipe/docker')
    expect(() => resolve({ DOCKER_CONTEXT: 'odd' })).toThrow(said('docker context "odd"'))
    writeFileSync(join(home, '.docker/config.json'), '{')
    expect(() => resolve()).toThrow(said('config.json is not JSON'))
  })
})
