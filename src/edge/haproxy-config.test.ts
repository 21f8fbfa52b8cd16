import { describe, expect, it } from 'vitest'
import type { EdgeConfig } from './config.ts'
import { renderHaproxyConfig } from './haproxy-config.ts'

const options = { adminSocket: '/etc/edge/admin.sock', namespace: 'host' }
const config = (over: Partial<EdgeConfig> = {}): EdgeConfig => ({
  listeners: [
    { port: 80, mode: 'http', routes: [{ host: '*.shop.test', path: '/api', backend: 'web' }] },
    { port: 3306, mode: 'tcp', backend: 'db' },
  ],
  backends: [
    {
      name: 'db',
      service: 'shop_db',
      mode: 'tcp',
      proxyProtocol: true,
      network: 'net1',
      transparent: false,
      servers: [],
    },
    {
      name: 'web',
      service: 'shop_web',
      mode: 'http',
      proxyProtocol: false,
      network: 'net1',
      transparent: false,
      servers: [{ name: 'web.1.t1', endpoint: 't1', address: '10.0.1.5', port: 8080 }],
    },
  ],
  networks: ['net1'],
  checkIntervalMs: 1000,
  local: ['10.0.1.0/24', '127.0.0.0/8'],
  ...over,
})
const render = (over: Partial<EdgeConfig> = {}) => renderHaproxyConfig(config(over), options)

describe('renderHaproxyConfig', () => {
  it('listens in the namespace of the host', () => {
    const { text } = render()
    expect(text).toContain('\n  bind :80 namespace host\n')
    expect(text).toContain('\n  bind :3306 namespace host\n')
  })

  it('matches whole path segments and any depth of a wildcard', () => {
    expect(render().text).toContain(
      'use_backend web if { var(txn.host) -m end .shop.test } { path -m str /api } or ' +
        '{ var(txn.host) -m end .shop.test } { path -m beg /api/ }',
    )
    expect(render().text).toContain('default_backend muster-no-route')
  })

  it('names itself by a revision that servers do not change, and everything else does', () => {
    const { revision, text } = render()
    expect(text).toContain(`description ${revision}\n`)
    const [db, web] = config().backends
    if (db === undefined || web === undefined) throw new Error('no backends')
    expect(render({ backends: [db, { ...web, servers: [] }] }).revision).toBe(revision)
    for (const over of [
      { listeners: [] },
      { backends: [db] },
      { backends: [{ ...db, proxyProtocol: false }, web] },
      { checkIntervalMs: 2000 },
    ]) {
      expect(render(over).revision).not.toBe(revision)
    }
  })

  it('gives up root, unless that would cost it what it needs: then its version decides', () => {
    const [db, web] = config().backends
    if (db === undefined || web === undefined) throw new Error('no backends')
    expect(render().text).toContain('\n  uid 99\n  gid 99\n')
    expect(render().text).not.toContain('setcap')
    const { text } = render({ backends: [{ ...db, transparent: true }, web] })
    const newer =
      '.if version_atleast(2.9) && feature(LINUX_CAP)\n  uid 99\n  gid 99\n  setcap cap_net_admin\n.endif\n'
    expect(text).toContain(newer)
    // HAProxy 2.6 refuses uid beside usesrc.
    expect(text.replace(newer, '')).not.toMatch(/^ {2}([ug]id|setcap) /m)
  })

  it('connects as the client where that is known to work, but never as one that is local', () => {
    const [db, web] = config().backends
    if (db === undefined || web === undefined) throw new Error('no backends')
    const { text, revision } = render({ backends: [{ ...db, transparent: true }, web] })
    expect(text.match(/source .*/g)).toEqual(['source 0.0.0.0 usesrc clientip'])
    expect(text).toContain(
      '\n  tcp-request connection set-src str(0.0.0.0) if { src 10.0.1.0/24 127.0.0.0/8 }\n',
    )
    expect(render().text).not.toContain('set-src')
    expect(render().revision).not.toBe(revision)
    expect(() =>
      render({ backends: [{ ...db, transparent: true }, web], local: ['10.0.0.0/8 }\n  x'] }),
    ).toThrow()
  })

  it('writes all options of a server on its line, as add server needs them', () => {
    const line = /^ {2}server web\.1\.t1 10\.0\.1\.5:8080 (.*)$/m.exec(render().text)?.[1]
    expect(line).toContain('check inter 1000ms')
    expect(render().text).not.toContain('default-server')
  })

  it('refuses to write what could be more than it seems', () => {
    const evil = 'x\n  bind :22'
    const [db, web] = config().backends
    if (db === undefined || web === undefined) throw new Error('no backends')
    const route = { host: '*', path: '/x', backend: 'web' }
    const server = { name: 'a', endpoint: 'a', address: '10.0.0.1', port: 80 }
    for (const over of [
      { backends: [{ ...db, name: evil }] },
      { backends: [{ ...web, servers: [{ ...server, name: evil }] }] },
      { backends: [{ ...web, servers: [{ ...server, address: '10.0.0.1 weight 0' }] }] },
      { backends: [{ ...web, servers: [{ ...server, port: 80.5 }] }] },
      { listeners: [{ port: 80, mode: 'http' as const, routes: [{ ...route, path: "/' x" }] }] },
      { listeners: [{ port: 80, mode: 'http' as const, routes: [{ ...route, host: 'a }' }] }] },
      { listeners: [{ port: 80, mode: 'tcp' as const, backend: evil }] },
      { listeners: [{ port: Number.NaN, mode: 'tcp' as const, backend: 'db' }] },
    ]) {
      expect(() => render(over).text).toThrow(/not fit|not a port/)
    }
    const { text } = render({ backends: [db, { ...web, service: "x'\n  bind :22" }] })
    expect(text).toContain("string 'x__  bind :22: no endpoint answers'")
  })
})
