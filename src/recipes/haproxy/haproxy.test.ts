import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SeenServer, View } from '../rendered/contract.ts'
import { haproxy } from './index.ts'

const server = (name: string, address: string, over: Partial<SeenServer> = {}): SeenServer => ({
  name,
  address,
  host: 'host-1',
  writer: false,
  backup: false,
  ...over,
})
const view = (servers: SeenServer[], writerPorts: number[] = [], keeps = servers): View => ({
  service: 'shop_lb',
  self: null,
  find: (name) => (name === 'db' ? { name, servers, keeps, writerPorts } : null),
})
const MEMBERS = [
  server('db-1', '10.0.1.5'),
  server('db-2', '10.0.1.6', { writer: true }),
  server('db-3', '10.0.1.7', { backup: true }),
]
const given = (environment: [string, string][] = []) => ({
  environment: new Map(environment),
  config: () => null,
})
const options = (name: string, ports: string) =>
  haproxy.options(
    {},
    given([
      ['SERVICE_NAME', name],
      ['SERVICE_PORTS', ports],
    ]),
  )
const file = (given: View, ports: string, path = 'haproxy.cfg') =>
  haproxy.render(given, options('db', ports)).find((each) => each.path === path)?.content ?? ''
const accepts = (config: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'))
  try {
    writeFileSync(join(folder, 'c'), config)
    execFileSync('haproxy', ['-c', '-f', join(folder, 'c')], { stdio: 'pipe' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}
const sections = (config: string) =>
  Object.fromEntries(
    [...config.matchAll(/^listen (\S+)\n((?: {2}.*\n)*)/gm)].map(([, name, lines = '']) => [
      name,
      [...lines.matchAll(/^ {2}server (.*)$/gm)].map(([, each]) => each),
    ]),
  )

it('lets go of clients whose hosts are gone, and with them of their locks', () => {
  const config = file(view(MEMBERS, [3306]), '3306')
  expect(config).toContain('  bind :3306 tcp-ut 13s\n')
  for (const line of ['option clitcpka', 'clitcpka-idle 5s', 'clitcpka-intvl 2s', 'clitcpka-cnt 3'])
    expect(config).toContain(`  ${line}\n`)
})

describe('its variables', () => {
  it('are needed', () => {
    expect(() => haproxy.options({}, given())).toThrow('SERVICE_NAME is missing')
    expect(() => haproxy.options({}, given([['SERVICE_NAME', 'db']]))).toThrow(
      'SERVICE_PORTS is missing',
    )
    expect(() => options('d b', '80')).toThrow('no name of a service')
    expect(() => options('db', '80,x')).toThrow('"x" is no port')
    expect(() => options('db', '0')).toThrow('no port')
    expect(() => options('db', '65536')).toThrow('no port')
  })
  it('take commas, spaces and both', () => {
    expect(options('db', '80,443')).toEqual({ service: 'db', ports: [80, 443] })
    expect(options('db', ' 80 443, 8080 80')).toEqual({ service: 'db', ports: [80, 443, 8080] })
  })
  it('say that it is wanted', () => {
    expect(haproxy.claims(new Map())).toBe(false)
    expect(haproxy.claims(new Map([['SERVICE_PORTS', '80']]))).toBe(true)
  })
})

describe('its configuration', () => {
  it('leads a port of an ordinary service to all, in as out', () => {
    const config = file(
      view([server('web.1.abc', '10.0.1.5'), server('web.2.def', '10.0.1.6')]),
      '80',
    )
    expect(sections(config)).toEqual({
      'db-80': ['web.1.abc 10.0.1.5:80', 'web.2.def 10.0.1.6:80'],
    })
    accepts(config)
  })
  it('leads writes to the writer alone, reads to all and to a donor last', () => {
    const config = file(view(MEMBERS, [3306]), '3306 4006 4008 3307')
    const readers = ['db-1 10.0.1.5:3306', 'db-2 10.0.1.6:3306', 'db-3 10.0.1.7:3306 backup']
    expect(sections(config)).toEqual({
      'db-3306': ['db-2 10.0.1.6:3306'],
      'db-4006': ['db-2 10.0.1.6:3306'],
      'db-4008': readers,
      'db-3307': readers,
    })
    accepts(config)
  })
  it('leads writes to nobody while there is no writer', () => {
    const config = file(view([server('db-1', '10.0.1.5')], [3306]), '3306')
    expect(sections(config)).toEqual({ 'db-3306': [] })
    accepts(config)
  })
  it('stands without the service', () => {
    const none: View = { service: 'shop_lb', self: null, find: () => null }
    accepts(file(none, '3306'))
  })
  it('writes down who may keep connections', () => {
    expect(file(view(MEMBERS, [3306]), '3306,4008', 'servers')).toBe(
      'db-3306/db-2 10.0.1.6\ndb-4008/db-1 10.0.1.5\ndb-4008/db-2 10.0.1.6\ndb-4008/db-3 10.0.1.7\n',
    )
  })
  it('lets those that are about to stop keep theirs, but not a writer that is none any more', () => {
    const ready = MEMBERS.filter(({ name }) => name !== 'db-1')
    const moved = MEMBERS.map((each) => ({ ...each, writer: each.name === 'db-1' }))
    expect(file(view(ready, [], MEMBERS), '80', 'servers')).toContain('db-80/db-1 10.0.1.5\n')
    expect(file(view(moved, [3306]), '3306', 'servers')).toBe('db-3306/db-1 10.0.1.5\n')
  })
  it('lets nothing through that is not an address or a name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (name, address) => {
        let config = ''
        try {
          config = file(view([server(name, address)]), '80')
        } catch {
          return
        }
        expect(config).toMatch(/^ {2}server [\w.-]+ [\d.]+:80$/m)
      }),
    )
  })
  it('comes with scripts that the shell accepts', () => {
    for (const { content, mode } of haproxy.render(view(MEMBERS), options('db', '80'))) {
      if (mode !== undefined) execFileSync('sh', ['-n'], { input: content })
    }
  })
})
