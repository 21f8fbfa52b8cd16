import { describe, expect, test } from 'vitest'
import { canonicalSpec } from './canonical.ts'
import { desiredFrom, specsFrom, stackFrom } from './fixtures.ts'

const service = async (yaml: string, options: Parameters<typeof desiredFrom>[1] = {}) => {
  const lines = yaml
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
  const desired = await desiredFrom(`services:\n  web:\n    image: web:1\n${lines}\n`, options)
  const [found] = desired.services
  if (found === undefined) throw new Error('no service')
  return found
}

const refusal = async (yaml: string, options: { api?: string; tolerate?: string[] } = {}) => {
  const lines = yaml
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')
  const text = `services:\n  web:\n    image: web:1\n${lines}\n`
  const { problems } = await specsFrom(text, options)
  const stack = await stackFrom(text)
  return problems.map((each) => ({
    path: each.path.join('.'),
    line: stack.locate(each.path)?.line,
    message: each.message,
  }))
}

describe('ports', () => {
  test('TCP goes to the edges, UDP and mode host stay with Swarm', async () => {
    const { ports, spec } = await service(`ports:
  - "80:8080"
  - "53:53/udp"
  - { target: 9000, published: "9000", mode: host }`)
    expect(ports).toEqual([{ published: 80, target: 8080, mode: 'tcp', proxyProtocol: false }])
    expect(spec.EndpointSpec).toEqual({
      Ports: [
        { Protocol: 'udp', TargetPort: 53, PublishedPort: 53, PublishMode: 'ingress' },
        { Protocol: 'tcp', TargetPort: 9000, PublishedPort: 9000, PublishMode: 'host' },
      ],
    })
  })

  test('app_protocol and x-muster say how the edges treat a port', async () => {
    const { ports } = await service(`ports:
  - { target: 80, published: "80", app_protocol: http }
  - { target: 443, published: "443" }
x-muster:
  proxy_protocol: true
  ports: { "80": { proxy_protocol: false } }`)
    expect(ports).toEqual([
      { published: 80, target: 80, mode: 'http', proxyProtocol: false },
      { published: 443, target: 443, mode: 'tcp', proxyProtocol: true },
    ])
  })

  test('an address of a host is kept; any address is none', async () => {
    const { ports } = await service('ports: ["127.0.0.1:80:80", "0.0.0.0:81:81"]')
    expect(ports).toEqual([
      { published: 80, target: 80, mode: 'tcp', proxyProtocol: false, hostIp: '127.0.0.1' },
      { published: 81, target: 81, mode: 'tcp', proxyProtocol: false },
    ])
  })

  test('a range and no port are left open', async () => {
    const { ports } = await service('ports: ["8000-8010:80", "81"]')
    expect(ports.map((each) => each.published)).toEqual([{ from: 8000, to: 8010 }, undefined])
  })
})

describe('x-muster', () => {
  test('http routes go to the only port of the service unless they say otherwise', async () => {
    const { http } = await service(`expose: ["8080"]
x-muster:
  http: [Shop.example.com, { host: "*.example.org", path: /api, published: 81, target: 9 }]`)
    expect(http).toEqual([
      { host: 'shop.example.com', path: '/', published: 80, target: 8080 },
      { host: '*.example.org', path: '/api', published: 81, target: 9 },
    ])
  })

  test('what it does not know is an error at its place', async () => {
    expect(await refusal('x-muster:\n  htpp: [a]')).toEqual([
      { path: 'services.web.x-muster.htpp', line: 5, message: 'x-muster: unknown key "htpp".' },
    ])
    expect(await refusal('x-muster:\n  http:\n    - host: a b\n      target: 1')).toMatchObject([
      { line: 6 },
    ])
    expect(await refusal('x-muster: { http: [a.example] }')).toMatchObject([
      { message: expect.stringContaining('which port') },
    ])
    expect(await refusal('x-muster: { ports: { "80": { mode: http } } }')).toMatchObject([
      { message: expect.stringContaining('publishes no TCP port 80') },
    ])
  })
})

describe('keys that a cluster cannot carry', () => {
  test.each([
    ['privileged: true', 'services.web.privileged'],
    ['ports: ["127.0.0.1:53:53/udp"]', 'services.web.ports.0.host_ip'],
    ['ports: ["[::1]:80:80"]', 'services.web.ports.0.host_ip'],
    ['pid: host', 'services.web.pid'],
    ['devices: ["/dev/null:/dev/null"]', 'services.web.devices'],
    ['network_mode: "container:x"', 'services.web.network_mode'],
    ['mac_address: 02:42:ac:11:00:03', 'services.web.mac_address'],
    ['cpuset: "0"', 'services.web.cpuset'],
    ['pre_stop: [{ command: ls }]', 'services.web.pre_stop'],
    [
      'healthcheck: { test: "true", start_interval: 1s }',
      'services.web.healthcheck.start_interval',
    ],
    ['security_opt: [no-new-privileges]', 'services.web.security_opt.0'],
    [
      'volumes: [{ type: bind, source: /a, target: /b, bind: { selinux: z } }]',
      'services.web.volumes.0.bind.selinux',
    ],
    ['deploy: { labels: { muster.ports: "[]" } }', 'services.web.deploy.labels.muster.ports'],
  ])('%s', async (yaml, path) => {
    const problems = await refusal(yaml)
    expect(problems.map((each) => each.path)).toEqual([path])
    expect(problems[0]?.line).toBe(4)
  })

  test('harmless values of the same keys are taken', async () => {
    await service('privileged: false\nipc: private\nnetwork_mode: bridge\npull_policy: always')
  })

  test('newer engines take more', async () => {
    const { spec } = await service('security_opt: [no-new-privileges]\noom_score_adj: 10', {
      api: '1.46',
    })
    expect(spec.TaskTemplate.ContainerSpec).toMatchObject({
      Privileges: { NoNewPrivileges: true },
      OomScoreAdj: 10,
    })
  })

  test('network_mode none is a network on which nobody else is', async () => {
    const { services, networks, notes } = await desiredFrom(
      'services: { web: { image: web, network_mode: none }, db: { image: db } }',
    )
    expect(services.map((each) => each.spec.TaskTemplate.Networks?.[0]?.Target)).toEqual([
      'shop_web_none',
      'shop_default',
    ])
    const own = networks.find((each) => each.name === 'shop_web_none')
    expect(own?.request.Internal).toBe(true)
    expect(notes.join()).toContain('web: network_mode none')
  })

  test.each([
    ['devices', 'devices: ["/dev/null"]'],
    ['gpus', 'gpus: all'],
    ['privileged', 'privileged: true'],
    ['ipc', 'ipc: host'],
    ['external_links', 'external_links: [other]'],
    ['volumes_from', 'volumes_from: ["container:x"]'],
    ['use_api_socket', 'use_api_socket: true'],
    ['network_mode', 'network_mode: "container:x"'],
    ['pre_stop', 'pre_stop: [{ command: ls }]'],
    [
      'deploy.resources.reservations.devices',
      'deploy: { resources: { reservations: { devices: [{ capabilities: [gpu] }] } } }',
    ],
  ])('%s can be tolerated, and is then as if it were not there', async (key, yaml) => {
    const { spec } = await service(yaml, { tolerate: [key] })
    expect(canonicalSpec(spec, { networks: new Map() })).toEqual(
      canonicalSpec((await service('labels: {}')).spec, { networks: new Map() }),
    )
  })

  test('a tolerated driver of a network is an overlay, without its options', async () => {
    const desired = await desiredFrom(
      'services: { web: { image: web, networks: [n] } }\nnetworks: { n: { driver: macvlan, driver_opts: { parent: eth0 } } }',
      { tolerate: ['networks.driver'] },
    )
    expect(desired.networks[0]?.request).toMatchObject({ Driver: 'overlay' })
    expect(desired.networks[0]?.request.Options).toBeUndefined()
    expect(desired.notes.join()).toContain('networks.driver has no effect (tolerated)')
  })

  test('container_name is one more name, and said', async () => {
    const desired = await desiredFrom('services: { web: { image: web, container_name: boss } }')
    expect(desired.notes.join()).toContain('container_name of web: one more name')
    expect(desired.services[0]?.spec.TaskTemplate.Networks?.[0]?.Aliases).toEqual(['boss', 'web'])
  })

  test('tolerated keys are left out and said; what must not be left out is not tolerated', async () => {
    const desired = await desiredFrom(
      'services: { web: { image: web, cpuset: "0", x-muster: { tolerate: [cpuset] } } }',
    )
    expect(desired.notes).toEqual(['web: cpuset has no effect (tolerated).'])
    expect(
      (await desiredFrom('services: { web: { image: web, pid: host } }', { tolerate: ['pid'] }))
        .services,
    ).toHaveLength(1)
    // What is carried anyway needs no tolerance, and a file that asks for it is not wrong.
    await service('cap_add: [NET_ADMIN]', { tolerate: ['cap_add'] })
    expect(await refusal('entrypoint: []', { tolerate: ['entrypoint'] })).toHaveLength(2)
    expect(await refusal('x-muster: { tolerate: [contaner_name] }')).toMatchObject([
      { path: 'services.web.x-muster.tolerate.0', line: 4 },
    ])
  })

  test('build without image has nothing to run; with image it is only a recipe', async () => {
    const { problems } = await specsFrom('services: { web: { build: . } }')
    expect(problems).toMatchObject([{ path: ['services', 'web', 'build'] }])
    await service('build: .')
  })
})

describe('volumes', () => {
  test('the muster driver is told the stack, and gives each slot a folder of its own', async () => {
    const { services } = await desiredFrom(`services:
  web:
    image: web:1
    volumes: ["data:/data", "each:/each:ro"]
volumes:
  data: { driver: muster }
  each: { driver: muster, driver_opts: { per: slot } }
`)
    const mounts = services[0]?.spec.TaskTemplate?.ContainerSpec?.Mounts
    expect(mounts).toMatchObject([
      {
        Source: 'shop_data',
        VolumeOptions: { DriverConfig: { Name: 'muster', Options: { stack: 'shop' } } },
      },
      {
        Source: 'shop_each.{{.Task.Slot}}',
        VolumeOptions: { DriverConfig: { Options: { stack: 'shop', per: 'slot' } } },
      },
    ])
  })
})

describe('how tasks are replaced', () => {
  test("old and new side by side, unless they could get in each other's way", async () => {
    const order = async (yaml: string) => (await service(yaml)).spec.UpdateConfig?.Order
    expect(await order('tty: true')).toBe('start-first')
    expect(
      await order('volumes: ["data:/data"]\n'.concat('labels: {}')).catch(() => 'no volume'),
    ).toBe('no volume')
    expect(await order('volumes: ["/data:/data"]')).toBe('stop-first')
    expect(await order('volumes: ["/data:/data:ro"]')).toBe('start-first')
    expect(await order('tmpfs: [/run]')).toBe('start-first')
    expect(await order('ports: [{ target: 1, published: "1", mode: host }]')).toBe('stop-first')
    expect(
      await order('volumes: ["/d:/d"]\ndeploy: { update_config: { order: start-first } }'),
    ).toBe('start-first')
  })

  test('back to the old ones if a new one fails, unless the user says otherwise', async () => {
    expect((await service('tty: true')).spec.UpdateConfig).toMatchObject({
      Parallelism: 1,
      FailureAction: 'rollback',
    })
    const own = await service(
      'deploy: { update_config: { parallelism: 0, failure_action: pause } }',
    )
    expect(own.spec.UpdateConfig).toMatchObject({ Parallelism: 0, FailureAction: 'pause' })
  })

  test('restart becomes the restart policy, with the delay of the cluster', async () => {
    const policy = async (yaml: string) => (await service(yaml)).spec.TaskTemplate.RestartPolicy
    expect(await policy('tty: true')).toEqual({ Condition: 'any', Delay: 1e9 })
    expect(await policy('restart: unless-stopped')).toEqual({ Condition: 'any', Delay: 1e9 })
    expect(await policy('restart: "no"')).toEqual({ Condition: 'none', Delay: 1e9 })
    expect(await policy('restart: on-failure:3')).toEqual({
      Condition: 'on-failure',
      Delay: 1e9,
      MaxAttempts: 3,
    })
    expect(
      await policy('restart: always\ndeploy: { restart_policy: { condition: none, delay: 7s } }'),
    ).toEqual({ Condition: 'none', Delay: 7e9 })
  })
})

describe('depends_on', () => {
  test('dependents wait; what must complete becomes a job', async () => {
    const desired = await desiredFrom(`
services:
  web:
    image: web
    depends_on:
      db: { condition: service_healthy, restart: true }
      migrate: { condition: service_completed_successfully, required: false }
  db: { image: db }
  migrate: { image: migrate }
`)
    const [web, , migrate] = ['web', 'db', 'migrate'].map((key) =>
      desired.services.find((each) => each.key === key),
    )
    expect(web?.after).toEqual([
      { service: 'shop_db', condition: 'service_healthy', required: true },
      { service: 'shop_migrate', condition: 'service_completed_successfully', required: false },
    ])
    expect(web?.restartWith).toEqual(['shop_db'])
    expect(migrate?.spec.Mode).toEqual({ ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } })
    expect(migrate?.spec.TaskTemplate.RestartPolicy?.Condition).toBe('none')
    expect(migrate?.spec.UpdateConfig).toBeUndefined()
  })

  test('what never completes cannot be waited for', async () => {
    const { problems } = await specsFrom(`
services:
  web: { image: w, depends_on: { job: { condition: service_completed_successfully } } }
  job: { image: j, restart: always }
`)
    expect(problems).toMatchObject([{ path: ['services', 'job', 'restart'] }])
  })

  test('what is waited for to complete is a job, whatever mode is written', async () => {
    const modeOf = async (deploy: string) =>
      (
        await desiredFrom(`
services:
  web: { image: w, depends_on: { job: { condition: service_completed_successfully } } }
  job: { image: j, deploy: ${deploy} }
`)
      ).services.find((each) => each.key === 'job')?.spec.Mode
    const job = { ReplicatedJob: { MaxConcurrent: 1, TotalCompletions: 1 } }
    expect(await modeOf('{ restart_policy: { condition: on-failure } }')).toEqual(job)
    expect(await modeOf('{ mode: replicated }')).toEqual(job)
    expect(await modeOf('{ mode: global }')).toEqual({ GlobalJob: {} })
  })
})

describe('containers', () => {
  test('a cleared entrypoint runs the command instead', async () => {
    const { spec } = await service('entrypoint: []\ncommand: [sleep, "9"]')
    expect(spec.TaskTemplate.ContainerSpec).toMatchObject({ Command: ['sleep', '9'] })
    expect(spec.TaskTemplate.ContainerSpec.Args).toBeUndefined()
  })

  test('post_start is for the agents, in a label of the container', async () => {
    const { spec } = await service(
      'post_start: [{ command: [sh, -c, "echo $$A"], user: app, environment: { A: "1" } }]',
    )
    const label = spec.TaskTemplate.ContainerSpec.Labels?.['muster.post_start'] ?? ''
    expect(JSON.parse(label)).toEqual([
      {
        command: ['sh', '-c', 'echo $A'],
        env: ['A=1'],
        user: 'app',
        workingDir: null,
        privileged: false,
      },
    ])
  })

  test('links with an alias give the target that name', async () => {
    const desired = await desiredFrom(
      'services: { web: { image: w, links: ["db:database"] }, db: { image: d } }',
    )
    const db = desired.services.find((each) => each.key === 'db')
    expect(db?.spec.TaskTemplate.Networks?.[0]?.Aliases).toEqual(['database', 'db'])
  })

  test('shm_size and tmpfs become mounts', async () => {
    const { spec } = await service('shm_size: 64m\ntmpfs: ["/run:size=1m,mode=700", "/tmp"]')
    expect(spec.TaskTemplate.ContainerSpec.Mounts).toEqual([
      { Type: 'tmpfs', Target: '/run', TmpfsOptions: { SizeBytes: 2 ** 20, Mode: 0o700 } },
      { Type: 'tmpfs', Target: '/tmp' },
      { Type: 'tmpfs', Target: '/dev/shm', TmpfsOptions: { SizeBytes: 2 ** 26 } },
    ])
  })

  test('limits of the service are those of deploy', async () => {
    const { spec } = await service('mem_limit: 64m\ncpu_quota: 50000\npids_limit: 9')
    expect(spec.TaskTemplate.Resources).toEqual({
      Limits: { MemoryBytes: 2 ** 26, NanoCPUs: 5e8, Pids: 9 },
    })
  })
})

describe('configs and secrets', () => {
  const file = (content: string) =>
    `configs: { c: { content: "${content}" } }\nservices: { web: { image: w, configs: [c] } }`

  test('the name follows the content', async () => {
    const one = await desiredFrom(file('a'))
    const again = await desiredFrom(file('a'))
    const other = await desiredFrom(file('b'))
    expect(one.files[0]?.name).toMatch(/^shop_c_[0-9a-f]{12}$/)
    expect(again.files[0]?.name).toBe(one.files[0]?.name)
    expect(other.files[0]?.name).not.toBe(one.files[0]?.name)
    expect(one.services[0]?.spec.TaskTemplate.ContainerSpec.Configs).toMatchObject([
      { ConfigName: one.files[0]?.name, File: { Name: '/c', UID: '0', GID: '0', Mode: 0o444 } },
    ])
  })

  test('long names still fit the engine', async () => {
    const key = 'x'.repeat(80)
    const desired = await desiredFrom(
      `configs: { ${key}: { content: a } }\nservices: { web: { image: w, configs: [${key}] } }`,
    )
    expect(desired.files[0]?.name).toHaveLength(64)
  })
})
