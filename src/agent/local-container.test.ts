import { expect, test } from 'vitest'
import { LABEL } from '../base/index.ts'
import type { ContainerInspectResponse } from '../engine/index.ts'
import { isEnding, localContainer, slotOf } from './local-container.ts'
import { standingOf } from './membership.ts'
import { hostOf, serviceOf, settingsOf, taskOf, withoutPort } from './swarm-objects.ts'
import { parseCpuTime, parseMemory } from './usage.ts'

const container = (over: {
  state?: object
  labels?: Record<string, string>
  networks?: Record<string, { NetworkID: string; IPAddress: string }>
  sandbox?: string
}): ContainerInspectResponse => ({
  Id: 'c1',
  State: { Running: true, Pid: 42, ...over.state },
  Config: {
    Labels: {
      'com.docker.swarm.task.id': 't1',
      'com.docker.swarm.task.name': 'shop_web.3.t1',
      'com.docker.swarm.service.id': 's1',
      'com.docker.swarm.service.name': 'shop_web',
      ...over.labels,
    },
  },
  NetworkSettings: {
    SandboxKey: over.sandbox ?? '/var/run/docker/netns/abc',
    Networks: over.networks ?? {
      shop: { NetworkID: 'overlay1', IPAddress: '10.0.1.5' },
      ingress: { NetworkID: 'ingress1', IPAddress: '10.0.0.9' },
      bridge: { NetworkID: 'bridge1', IPAddress: '172.17.0.2' },
    },
  },
})
const read = (over: Parameters<typeof container>[0]) =>
  localContainer(container(over), 'h1', (network) => network.startsWith('overlay'))

test('a task of a service on an overlay network is an endpoint', () => {
  expect(read({})).toEqual({
    id: 'c1',
    pid: 42,
    netns: '/var/run/docker/netns/abc',
    serviceName: 'shop_web',
    networks: ['overlay1'],
    endpoint: {
      id: 't1',
      host: 'h1',
      service: 's1',
      container: 'c1',
      slot: 3,
      addresses: { overlay1: '10.0.1.5' },
      state: 'ready',
    },
    stopLimit: 10_000,
    stopSignal: 'SIGTERM',
  })
})

test.each([
  ['without a health check', {}, 'ready'],
  ['whose check has not passed yet', { Health: { Status: 'starting' } }, 'starting'],
  ['that is healthy', { Health: { Status: 'healthy' } }, 'ready'],
  ['that is unhealthy', { Health: { Status: 'unhealthy' } }, 'unhealthy'],
  ['that is paused', { Paused: true, Health: { Status: 'healthy' } }, 'unhealthy'],
])('a container %s', (_, state, expected) => {
  expect(read({ state })?.endpoint?.state).toBe(expected)
})

test('before it runs, a container has networks but is no endpoint', () => {
  expect(read({ state: { Running: false } })).toMatchObject({
    networks: ['overlay1'],
    endpoint: null,
  })
})

test('a container of no service gets virtual IPs, and is no endpoint', () => {
  expect(read({ labels: { 'com.docker.swarm.task.id': '' } })).toMatchObject({
    networks: ['overlay1'],
    endpoint: null,
  })
})

test.each([
  ['the edge', { labels: { [LABEL.edge]: 'x' } }],
  [
    'on no overlay network',
    { networks: { bridge: { NetworkID: 'bridge1', IPAddress: '172.17.0.2' } } },
  ],
  ['without a network namespace', { sandbox: '' }],
])('a container that is %s is none of ours', (_, over) => {
  expect(read(over)).toBeNull()
})

test('slots', () => {
  expect(slotOf('shop_web.12.abc', 'shop_web')).toBe(12)
  expect(slotOf('shop_web.q8x9zabc.def', 'shop_web')).toBe(0)
  expect(slotOf('', '')).toBe(0)
})

test.each([
  ['15', 'SIGTERM', true],
  ['9', 'SIGTERM', true],
  ['1', 'SIGTERM', false],
  ['10', 'SIGTERM', false],
  ['3', 'SIGQUIT', true],
  ['3', 'SIGTERM', false],
  ['10', 'USR1', true],
])('signal %s ends a container that stops by %s: %s', (signal, stop, ends) => {
  expect(isEnding(signal, stop)).toBe(ends)
})

test('a service as workers need it', () => {
  const { value, problems } = serviceOf(
    {
      ID: 's1',
      Version: { Index: 1 },
      Spec: {
        Name: 'shop_web',
        Labels: {
          [LABEL.stack]: 'shop',
          [LABEL.ports]: '[{"published":80,"target":8080,"mode":"http","proxyProtocol":false}]',
          [LABEL.http]: '[{"host":"x y","path":"/","published":80,"target":8080}]',
        },
        TaskTemplate: { Networks: [{ Target: 'overlay2' }] },
      },
      Endpoint: {
        VirtualIPs: [
          { NetworkID: 'ingress1', Addr: '10.0.0.3/24' },
          { NetworkID: 'overlay1', Addr: '10.0.1.2/24' },
        ],
      },
    },
    (network) => network.startsWith('ingress'),
  )
  expect(value).toEqual({
    id: 's1',
    name: 'shop_web',
    stack: 'shop',
    virtualIps: { overlay1: '10.0.1.2' },
    networks: ['overlay1', 'overlay2'],
    ports: [{ published: 80, target: 8080, mode: 'http', proxyProtocol: false }],
    http: [],
  })
  expect(problems).toHaveLength(1)
})

test('a task stands in for what its host would report', () => {
  const task = {
    ID: 't1',
    Version: { Index: 1 },
    ServiceID: 's1',
    NodeID: 'h1',
    Slot: 2,
    DesiredState: 'shutdown' as const,
    Status: { State: 'running' as const, ContainerStatus: { ContainerID: 'c1' } },
    NetworksAttachments: [
      { Network: { ID: 'ingress1', Spec: { Name: 'ingress' } }, Addresses: ['10.0.0.7/24'] },
      { Network: { ID: 'overlay1', Spec: { Name: 'net' } }, Addresses: ['10.0.1.7/24'] },
    ],
  }
  expect(taskOf(task, (id) => id === 'ingress1')).toMatchObject({
    id: 't1',
    desired: 'shutdown',
    state: 'running',
    endpoint: { host: 'h1', slot: 2, container: 'c1', addresses: { overlay1: '10.0.1.7' } },
  })
  expect(taskOf({ ...task, NetworksAttachments: [] }, () => false)).toBeNull()
})

test('hosts: address without port, a leader that does not know its own', () => {
  const node = {
    ID: 'h1',
    Version: { Index: 1 },
    Spec: { Role: 'manager' as const },
    Description: { Hostname: 'host 1 !' },
    Status: { State: 'down' as const, Addr: '0.0.0.0' },
    ManagerStatus: { Leader: true, Addr: '10.1.1.1:2377' },
  }
  expect(hostOf(node)).toEqual({
    id: 'h1',
    name: 'h1',
    address: '10.1.1.1',
    manager: true,
    leader: true,
    down: true,
  })
  expect([withoutPort('[fd00::1]:2377'), withoutPort('10.0.0.1'), withoutPort('fd00::1')]).toEqual([
    'fd00::1',
    '10.0.0.1',
    'fd00::1',
  ])
})

test('an image that could break a configuration file is left out', () => {
  expect(settingsOf({ [LABEL.edgeImage]: 'evil\nimage' }).problems).toHaveLength(1)
  expect(settingsOf({ [LABEL.edgeImage]: 'registry:5000/edge:1' })).toMatchObject({
    value: { edgeImage: 'registry:5000/edge:1' },
    problems: [],
  })
})

test('where a host is', () => {
  expect(standingOf({ Swarm: { LocalNodeState: 'inactive' } })).toBe('gone')
  expect(standingOf({ Swarm: { LocalNodeState: 'pending', NodeID: 'h1' } })).toBe('unsettled')
  expect(
    standingOf({
      Name: 'host-1',
      DockerRootDir: '/data',
      Swarm: {
        LocalNodeState: 'active',
        NodeID: 'h1',
        NodeAddr: '10.0.0.1',
        ControlAvailable: true,
        RemoteManagers: [{ NodeID: 'h2', Addr: '10.0.0.2:2377' }],
      },
    }),
  ).toEqual({
    host: 'h1',
    name: 'host-1',
    address: '10.0.0.1',
    manager: true,
    managers: [
      { id: 'h1', address: '10.0.0.1' },
      { id: 'h2', address: '10.0.0.2' },
    ],
    certificates: '/data/swarm/certificates',
  })
})

test('how busy a host is', () => {
  expect(parseCpuTime('cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1 2 3')).toEqual({ total: 100, busy: 30 })
  expect(parseMemory('MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  600 kB\n')).toEqual({
    total: 1_024_000,
    used: 409_600,
  })
})
