import { describe, expect, it } from 'vitest'
import { chooseAdvertiseAddress, defaultRouteInterface, joinAddress } from './address.ts'

describe('chooseAdvertiseAddress', () => {
  const eth0 = { interface: 'eth0', address: '10.0.0.5' }
  const eth1 = { interface: 'eth1', address: '192.168.7.5' }
  const docker = { interface: 'docker0', address: '172.17.0.1' }

  it('takes the address on the default route', () => {
    expect(chooseAdvertiseAddress([eth0, eth1, docker], 'eth1')).toBe('192.168.7.5')
  })
  it("takes the only one that is not Docker's own", () => {
    expect(chooseAdvertiseAddress([docker, eth0], undefined)).toBe('10.0.0.5')
  })
  it('asks when there are several', () => {
    expect(() => chooseAdvertiseAddress([eth0, eth1], undefined)).toThrow(
      /10\.0\.0\.5 \(eth0\), 192/,
    )
  })
  it('says so when there is none', () => {
    expect(() => chooseAdvertiseAddress([docker], 'docker0')).toThrow(/no IPv4 address/)
  })
})

describe('defaultRouteInterface', () => {
  const head =
    'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n'
  it('finds the default route', () => {
    const table = `${head}eth1\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\neth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`
    expect(defaultRouteInterface(table)).toBe('eth0')
  })
  it('finds none in a table without one', () => {
    expect(defaultRouteInterface(head)).toBeUndefined()
  })
})

describe('joinAddress', () => {
  it('adds the port of Swarm', () => {
    expect(joinAddress('10.0.0.5')).toBe('10.0.0.5:2377')
    expect(joinAddress('manager.lan:3000')).toBe('manager.lan:3000')
  })
  it('refuses what is not an address', () => {
    expect(() => joinAddress('http://x')).toThrow(/not an address/)
  })
})
