import { describe, expect, it } from 'vitest'
import { emptyCatalog, type CatalogHost } from '../catalog/index.ts'
import { sampleHost, sampleService } from '../catalog/samples.ts'
import {
  EdgePlaces,
  markOf,
  returnPathChains,
  returnPathCommands,
  wantsReturnPaths,
} from './return-path.ts'

const place = (n: number, net = 1) => ({
  address: `10.0.${net}.${n}`,
  mac: `02:42:0a:00:0${net}:0${n}`,
  subnet: `10.0.${net}.0/24`,
})
const catalog = (...hosts: CatalogHost[]) => ({
  ...emptyCatalog('test'),
  hosts: new Map(hosts.map((host) => [host.id, host])),
})

describe('EdgePlaces', () => {
  it('knows the edges on the networks that are asked for', () => {
    const places = new EdgePlaces()
    places.update(
      catalog(
        sampleHost('h2', { edge: { net1: place(8) } }),
        sampleHost('h1', { edge: { net1: place(7), net2: place(7, 2) } }),
      ),
      { complete: true },
    )
    expect(places.on(['net1'])).toEqual([place(7), place(8)])
    expect(places.on(['net1', 'net2'])).toEqual([place(7), place(8), place(7, 2)])
    expect(places.on(['net3'])).toEqual([])
  })

  it('forgets a place for another one and with its host, not because nobody says it any more', () => {
    const places = new EdgePlaces()
    const all = { complete: true }
    places.update(catalog(sampleHost('h1', { edge: { net1: place(7) } })), all)
    places.update(catalog(sampleHost('h1')), all)
    expect(places.on(['net1'])).toEqual([place(7)])
    places.update(catalog(sampleHost('h1', { edge: { net1: place(9) } })), all)
    expect(places.on(['net1'])).toEqual([place(9)])
    places.update(catalog(), { complete: false })
    expect(places.on(['net1'])).toEqual([place(9)])
    places.update(catalog(), all)
    expect(places.on(['net1'])).toEqual([])
  })
})

it('is for services that publish bytes without a PROXY header', () => {
  const port = { published: 1, target: 1, mode: 'tcp' as const, proxyProtocol: false }
  const services = [
    sampleService('tcp', { ports: [port] }),
    sampleService('pp', { ports: [{ ...port, proxyProtocol: true }] }),
    sampleService('http', { ports: [{ ...port, mode: 'http' }] }),
  ]
  const all = { ...catalog(), services: new Map(services.map((each) => [each.id, each])) }
  const wanting = ['tcp', 'pp', 'http', 'unknown', undefined].filter((id) =>
    wantsReturnPaths(all, id),
  )
  expect(wanting).toEqual(['tcp'])
})

it('numbers an edge by its address', () => {
  expect(markOf('10.0.1.7')).toBe(0x0a000107)
  expect(markOf('255.255.255.255')).toBe(0xffffffff)
  expect(() => markOf('10.0.1')).toThrow()
})

describe('the scripts', () => {
  it('mark by edge what comes from it with a foreign address', () => {
    const lines = returnPathChains([place(7), place(8), place(7, 2)]).map((line) => line.trim())
    expect(lines).toContain(
      'ip saddr != 10.0.1.0/24 meta l4proto tcp ct mark set ether saddr map ' +
        '{ 02:42:0a:00:01:07 : 0xa000107, 02:42:0a:00:01:08 : 0xa000108 }',
    )
    expect(lines).toContain(
      'ip saddr != 10.0.2.0/24 meta l4proto tcp ct mark set ether saddr map { 02:42:0a:00:02:07 : 0xa000207 }',
    )
    expect(lines).toContain(
      'ct direction reply ct mark { 0xa000107, 0xa000108, 0xa000207 } meta mark set ct mark',
    )
    expect(returnPathChains([])).toEqual([])
  })

  it('lead each mark to its edge', () => {
    const commands = returnPathCommands([place(7), place(8)])
    expect(commands).toContain('\nroute replace default via 10.0.1.7 table 167772423\n')
    expect(commands).toContain('for mark in 0xa000107 0xa000108; do')
  })

  it('hold nothing but addresses', () => {
    for (const bad of [
      { ...place(7), address: '10.0.1.7; reboot' },
      { ...place(7), mac: '02:42:0a:00:01:07 }' },
      { ...place(7), subnet: '10.0.1.0/24 accept' },
    ]) {
      expect(() => returnPathChains([bad])).toThrow()
    }
    expect(() => returnPathCommands([{ ...place(7), address: '$(reboot)' }])).toThrow()
  })
})
