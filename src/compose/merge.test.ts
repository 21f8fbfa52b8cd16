import { describe, expect, test } from 'vitest'
import { brief, testProject } from './test-project.ts'

/** What two files say together of the service `a` (or of what `pick` names). */
const together = async (base: string, over: string): Promise<Record<string, unknown>> => {
  await using project = await testProject({
    'base.yaml': `services: {a: {image: i, ${base}}}`,
    'over.yaml': `services: {a: {${over}}}`,
  })
  const result = await project.load({
    files: ['base.yaml', 'over.yaml'],
    normalize: false,
    consistency: false,
    resolvePaths: false,
  })
  if (result.errors) throw new Error(brief(result.errors).join('\n'))
  const { image: _, ...rest } = result.stack.services['a'] as Record<string, unknown>
  return rest
}

describe('several files', () => {
  test.each<[string, string, string, unknown]>([
    ['later values win', 'user: x, tty: true', 'user: y', { user: 'y', tty: true }],
    ['an empty value says nothing', 'user: x', 'user:', { user: 'x' }],
    ['commands are replaced', 'command: [a, b]', 'command: c d', { command: ['c', 'd'] }],
    [
      'health tests are replaced',
      'healthcheck: {test: [CMD, a], retries: 1}',
      'healthcheck: {test: b}',
      { healthcheck: { test: ['CMD-SHELL', 'b'], retries: 1 } },
    ],
    [
      'variables by name, whichever form',
      'environment: {A: 1, B: 2}',
      'environment: [B=3, C]',
      { environment: { A: '1', B: '3', C: null } },
    ],
    ['labels by name', 'labels: [a=1, b=2]', 'labels: {b: 3}', { labels: { a: '1', b: '3' } }],
    [
      'ports that differ add up',
      'ports: ["80:80"]',
      'ports: ["80:80", "81:80"]',
      { ports: [port('80'), port('81')] },
    ],
    [
      'a range meets its members',
      'ports: ["80-81:80-81"]',
      'ports: [{target: 81, published: 81, name: x}]',
      { ports: [port('80'), { ...port('81'), target: 81, name: 'x' }] },
    ],
    [
      'mounts by target',
      'volumes: ["one:/x", "two:/y"]',
      'volumes: ["three:/x"]',
      { volumes: [volume('three', '/x'), volume('two', '/y')] },
    ],
    [
      'devices by target',
      'devices: [/dev/a:/dev/x]',
      'devices: [/dev/b:/dev/x]',
      { devices: [{ source: '/dev/b', target: '/dev/x', permissions: 'rwm' }] },
    ],
    [
      'secrets by where they are mounted',
      'secrets: [s, t]',
      'secrets: [{source: u, target: /run/secrets/s}]',
      {
        secrets: [
          { source: 'u', target: '/run/secrets/s' },
          { source: 't', target: '/run/secrets/t' },
        ],
      },
    ],
    ['capabilities once', 'cap_add: [A, B]', 'cap_add: [B, C]', { cap_add: ['A', 'B', 'C'] }],
    [
      'one dns server becomes a list',
      'dns: 1.1.1.1',
      'dns: [8.8.8.8, 1.1.1.1]',
      { dns: ['1.1.1.1', '8.8.8.8'] },
    ],
    [
      'addresses of one host add up',
      'extra_hosts: [h=1.1.1.1]',
      'extra_hosts: {h: 2.2.2.2}',
      { extra_hosts: ['h=1.1.1.1', 'h=2.2.2.2'] },
    ],
    [
      'constraints add up',
      'deploy: {placement: {constraints: [a==b]}}',
      'deploy: {placement: {constraints: [c==d]}}',
      { deploy: { placement: { constraints: ['a==b', 'c==d'] } } },
    ],
    [
      'options of the same log driver',
      'logging: {driver: d, options: {a: 1}}',
      'logging: {options: {b: 2}}',
      { logging: { driver: 'd', options: { a: '1', b: '2' } } },
    ],
    [
      'options go with another log driver',
      'logging: {driver: d, options: {a: 1}}',
      'logging: {driver: e}',
      { logging: { driver: 'e' } },
    ],
    [
      'dependencies: a name says service_started',
      'depends_on: {b: {condition: service_healthy}}',
      'depends_on: [b]',
      { depends_on: { b: { condition: 'service_started', required: true } } },
    ],
    [
      'dependencies key by key',
      'depends_on: [b]',
      'depends_on: {b: {condition: service_healthy, required: false}}',
      { depends_on: { b: { condition: 'service_healthy', required: false } } },
    ],
    [
      'networks keep what they had',
      'networks: {n: {aliases: [x]}}',
      'networks: [n, m]',
      { networks: { n: { aliases: ['x'] }, m: {} } },
    ],
    [
      'build as a text or a map',
      'build: ./a',
      'build: {target: t, args: [X=1]}',
      { build: { context: './a', target: 't', args: { X: '1' } } },
    ],
    [
      'limits of a process',
      'ulimits: {nofile: 5, core: {soft: 1, hard: 2}}',
      'ulimits: {nofile: {soft: 1, hard: 2}, core: 3}',
      { ulimits: { nofile: { soft: 1, hard: 2 }, core: 3 } },
    ],
    [
      'security options once',
      'security_opt: [a]',
      'security_opt: [a, b]',
      { security_opt: ['a', 'b'] },
    ],
    [
      '!reset takes away',
      'user: x, ports: ["80"], environment: {A: 1, B: 2}',
      'user: !reset null, ports: !reset [], environment: {A: !reset null}',
      { environment: { B: '2' } },
    ],
    [
      '!override replaces whole',
      'environment: {A: 1}, ports: ["80"]',
      'environment: !override {B: 2}, ports: !override ["81"]',
      { environment: { B: '2' }, ports: [{ mode: 'ingress', target: 81, protocol: 'tcp' }] },
    ],
  ])('%s', async (...[, base, over, expected]) => {
    expect(await together(base, over)).toEqual(expected)
  })

  test('a list over a map is an error at the later file', async () => {
    await using project = await testProject({
      'a.yaml': 'services: {a: {image: x, x-k: {b: 1}}}',
      'b.yaml': 'services: {a: {x-k: [c]}}',
    })
    const { errors } = await project.load({ files: ['a.yaml', 'b.yaml'] })
    expect(errors?.map((e) => [e.location?.file, e.message])).toEqual([
      ['b.yaml', 'this is a list, but a map in the file it is merged with'],
    ])
  })

  test('address pools by subnet', async () => {
    await using project = await testProject({
      'a.yaml':
        'networks: {n: {ipam: {config: [{subnet: 10.1.0.0/16, gateway: 10.1.0.1}]}}}\nservices: {}',
      'b.yaml':
        'networks: {n: {ipam: {config: [{subnet: 10.1.0.0/16, ip_range: 10.1.2.0/24}, {subnet: 10.2.0.0/16}]}}}',
    })
    const { stack } = await project.load({ files: ['a.yaml', 'b.yaml'] })
    expect(stack?.networks['n']?.ipam?.config).toEqual([
      { subnet: '10.1.0.0/16', gateway: '10.1.0.1', ip_range: '10.1.2.0/24' },
      { subnet: '10.2.0.0/16' },
    ])
  })

  test('documents of one file are merged as files are', async () => {
    await using project = await testProject({
      'compose.yaml':
        'services: {a: {image: x, labels: [a=1]}}\n---\nservices: {a: {image: y, labels: [b=2]}}',
    })
    const { stack } = await project.load()
    expect(stack?.services['a']).toMatchObject({ image: 'y', labels: { a: '1', b: '2' } })
  })
})

function port(published: string) {
  return { mode: 'ingress', target: 80, published, protocol: 'tcp' }
}

function volume(source: string, target: string) {
  return { type: 'volume', source, target, volume: {} }
}
