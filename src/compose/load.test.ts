import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { brief, stackOf, testProject } from './test-project.ts'

describe('loadStack', () => {
  test('expands every short syntax', async () => {
    const stack = await stackOf(
      `
name: ignored
x-top: {a: [1]}
services:
  web:
    image: nginx
    build: ./web
    command: echo "a b"
    entrypoint: []
    ports: ["8080:80"]
    volumes: [data:/data, ./conf:/etc/app:ro]
    environment: [A=1, B]
    env_file: []
    depends_on: [db]
    networks: [front]
    secrets: [token]
    configs: [{source: conf, mode: 0440}]
    deploy:
      replicas: 0
      resources: {limits: {cpus: "0.5", memory: 64M}}
      update_config: {parallelism: 0, delay: 10s}
    healthcheck: {test: curl localhost, interval: 1m30s}
    stop_grace_period: 0s
    ulimits: {nofile: 10}
    x-muster: {http: true}
  db: {image: db, network_mode: none}
networks: {front: }
volumes: {data: {external: true}}
secrets: {token: {environment: TOKEN}}
configs: {conf: {content: "x\${A:-y}"}}
`,
      { env: { TOKEN: 's3cret', B: 'b' } },
    )
    const { web } = stack.services
    expect(web).toMatchObject({
      build: { dockerfile: 'Dockerfile' },
      command: ['echo', 'a b'],
      entrypoint: [],
      ports: [{ mode: 'ingress', target: 80, published: '8080', protocol: 'tcp' }],
      volumes: [
        { type: 'volume', source: 'data', target: '/data', volume: {} },
        { type: 'bind', target: '/etc/app', read_only: true, bind: { create_host_path: true } },
      ],
      environment: { A: '1', B: 'b' },
      depends_on: { db: { condition: 'service_started', required: true } },
      networks: { front: {} },
      secrets: [{ source: 'token', target: '/run/secrets/token' }],
      configs: [{ source: 'conf', mode: 0o440 }],
      deploy: {
        replicas: 0,
        resources: { limits: { cpus: 0.5, memory: 67_108_864 } },
        update_config: { parallelism: 0, delay: 10_000_000_000 },
      },
      healthcheck: { test: ['CMD-SHELL', 'curl localhost'], interval: 90_000_000_000 },
      stop_grace_period: 0,
      ulimits: { nofile: 10 },
      'x-muster': { http: true },
    })
    expect(web?.volumes?.[1]?.source).toBe(join(stack.projectDirectory, 'conf'))
    expect(stack).toMatchObject({
      name: 'proj',
      extensions: { 'x-top': { a: [1] } },
      networks: { front: { name: 'proj_front' } },
      volumes: { data: { name: 'data', external: true } },
      secrets: { token: { name: 'proj_token', environment: 'TOKEN', content: 's3cret' } },
      configs: { conf: { name: 'proj_conf', content: 'xy' } },
    })
    expect(stack.networks['default']).toBeUndefined()
  })

  test('normalises: default network, implied dependencies, names', async () => {
    const stack = await stackOf(`
services:
  a: {image: x, links: ["b:alias"], volumes_from: [c], ipc: "service:d", pre_start: [{command: m}]}
  b: {image: x, pull_policy: if_not_present}
  c: {image: x}
  d: {image: x}
`)
    expect(stack.services['a']).toMatchObject({
      networks: { default: {} },
      pre_start: [{ command: ['m'], image: 'x' }],
      depends_on: {
        b: { condition: 'service_started', restart: true, required: true },
        c: { condition: 'service_started', required: true },
        d: { condition: 'service_started', restart: true, required: true },
      },
    })
    expect(stack.services['b']?.pull_policy).toBe('missing')
    expect(stack.networks).toEqual({ default: { name: 'proj_default' } })
  })

  test('places: a value, its nearest ancestor if nobody wrote it, the key and the caret', async () => {
    const stack = await stackOf('services:\n  web:\n    image: x\n    ports: ["80:80"]\n')
    expect(stack.locate(['services', 'web', 'image'])).toEqual({
      file: 'compose.yaml',
      line: 3,
      column: 5,
      text: '    image: x',
      caret: { column: 12, length: 1 },
    })
    expect(stack.locate(['services', 'web', 'ports', 0, 'published'])).toMatchObject({
      line: 4,
      caret: { column: 13, length: 7 },
    })
    expect(stack.locate(['services', 'web', 'deploy', 'replicas'])).toMatchObject({ line: 2 })
  })

  test('variables: environment before .env, COMPOSE_PROJECT_NAME, --env-file instead of .env', async () => {
    await using project = await testProject({
      'compose.yaml': 'services: {a: {image: "$A-$B-$COMPOSE_PROJECT_NAME"}}',
      '.env': 'A=dot\nB=dot',
      'other.env': 'A=other\nB=${A}2',
    })
    const image = async (options: Parameters<typeof project.load>[0]): Promise<unknown> =>
      (await project.load(options)).stack?.services['a']?.image
    expect(await image({ env: { A: 'env' } })).toBe('env-dot-proj')
    expect(await image({ envFiles: ['other.env'] })).toBe('other-other2-proj')
    expect(await image({ interpolate: false })).toBe('$A-$B-$COMPOSE_PROJECT_NAME')
  })

  test('the name: given, COMPOSE_PROJECT_NAME, written, of the folder', async () => {
    await using project = await testProject({
      'compose.yaml': 'name: Wri-${X:-tten}\nservices: {a: {image: x}}',
      'My App/compose.yaml': 'services: {a: {image: x}}',
    })
    const name = async (env: Record<string, string>, file = 'compose.yaml'): Promise<unknown> => {
      const { stack } = await project.load({ projectName: '', env, files: [file] })
      return stack?.name
    }
    expect(await name({ COMPOSE_PROJECT_NAME: 'env' })).toBe('env')
    expect(await name({})).toBe('wri-tten')
    expect(await name({}, 'My App/compose.yaml')).toBe('myapp')
  })

  test('finds the file and its override, also from a folder below', async () => {
    await using project = await testProject({
      'compose.yml': 'services: {a: {image: x}}',
      'compose.override.yml': 'services: {a: {image: y}}',
      'sub/file': '',
    })
    const { stack } = await project.load({ files: [], cwd: join(project.folder, 'sub') })
    expect(stack?.services['a']?.image).toBe('y')
    expect(stack?.projectDirectory).toBe(project.folder)
  })

  test('reads standard input', async () => {
    await using project = await testProject({ x: '' })
    async function* stdin(): AsyncGenerator<string> {
      yield 'services: {a: '
      yield '{image: x}}'
    }
    const { stack } = await project.load({ files: ['-'], stdin: stdin() })
    expect(stack?.services['a']?.image).toBe('x')
    expect(stack?.locate(['services', 'a'])?.file).toBe('-')
  })

  test('profiles: active, all, and services asked for by name', async () => {
    const text = `services:
  a: {image: x, depends_on: {c: {condition: service_started, required: false}}}
  b: {image: x, profiles: [debug]}
  c: {image: x, profiles: [other]}`
    const services = async (options: Parameters<typeof stackOf>[1]): Promise<string[]> =>
      Object.keys((await stackOf(text, options)).services)
    expect(await services({})).toEqual(['a'])
    expect(await services({ profiles: ['debug'] })).toEqual(['a', 'b'])
    expect(await services({ env: { COMPOSE_PROFILES: 'debug,other' } })).toEqual(['a', 'b', 'c'])
    expect(await services({ profiles: ['*'] })).toEqual(['a', 'b', 'c'])
    expect(await services({ services: ['b'] })).toEqual(['b'])
    expect(Object.keys((await stackOf(text)).disabledServices)).toEqual(['b', 'c'])
  })

  test('env_file: formats, order, what the service says itself, not there', async () => {
    await using project = await testProject({
      'compose.yaml': `services:
  a:
    image: x
    env_file:
      - one.env
      - {path: two.env, format: raw}
      - {path: none.env, required: false}
    environment: {C: own}
    label_file: labels`,
      'one.env': 'A=1\nB=$C\nC=file\nD=$OUT',
      'two.env': 'A="2"',
      labels: 'l=1',
    })
    const { stack } = await project.load({ env: { OUT: 'out' } })
    expect(stack?.services['a']).toMatchObject({
      environment: { A: '"2"', B: 'own', C: 'own', D: 'out' },
      labels: { l: '1' },
    })
    expect(stack?.services['a']?.env_file).toBeUndefined()
  })

  test('extends: same file, other file with its own paths, chains', async () => {
    await using project = await testProject({
      'compose.yaml': `services:
  a: {extends: b, labels: [a=1]}
  b: {extends: {file: sub/base.yaml, service: c}, labels: [b=1]}`,
      'sub/base.yaml': `services:
  c: {extends: d, build: ., env_file: [x.env]}
  d: {image: d, labels: [d=1]}`,
      'sub/x.env': 'X=1',
    })
    const { stack } = await project.load()
    expect(stack?.services['a']).toMatchObject({
      image: 'd',
      labels: { a: '1', b: '1', d: '1' },
      build: { context: join(project.folder, 'sub') },
      environment: { X: '1' },
    })
  })

  test('include: own folder, own variables, what the includer says goes over it', async () => {
    await using project = await testProject({
      'compose.yaml': `include: [sub/compose.yaml, {path: [two/a.yaml, two/b.yaml], env_file: x.env}]
services:
  inner: {labels: [own=1]}`,
      'sub/compose.yaml':
        'services: {inner: {image: "i-$V", build: ., environment: [V]}}\nvolumes: {data: {}}',
      'sub/.env': 'V=sub',
      'two/a.yaml': 'services: {two: {image: "a-$V"}}',
      'two/b.yaml': 'services: {two: {user: "$V"}}',
      'x.env': 'V=x',
    })
    const { stack } = await project.load()
    expect(stack?.services).toMatchObject({
      inner: {
        image: 'i-sub',
        build: { context: join(project.folder, 'sub') },
        environment: { V: 'sub' },
        labels: { own: '1' },
      },
      two: { image: 'a-x', user: 'x' },
    })
    expect(stack?.locate(['services', 'inner', 'image'])?.file).toBe('sub/compose.yaml')
  })

  test('old files: version is told to be obsolete, 2.x keys are read', async () => {
    const stack = await stackOf(
      'version: "2.1"\nservices: {a: {image: x, mem_limit: 1g, cpus: 0.5}}',
    )
    expect(stack.services['a']).toMatchObject({ mem_limit: 1_073_741_824, cpus: 0.5 })
    expect(brief(stack.warnings)).toEqual(['1:1 version: "version" is obsolete and ignored'])
  })

  test('unset variables are told once', async () => {
    const stack = await stackOf('services: {a: {image: "x$A", user: "$A"}}')
    expect(stack.warnings.map(({ message }) => message)).toEqual([
      'the variable A is not set and becomes empty',
    ])
  })

  test('long chains and wide fans of extends take no time', async () => {
    const names = Array.from({ length: 400 }, (_, i) => `s${i}`)
    const chain = names.map(
      (name, i) => `  ${name}: {${i === 0 ? 'image: x' : `extends: s${i - 1}`}}`,
    )
    const fan = names.map((name) => `  ${name}: {extends: {file: base.yaml, service: s399}}`)
    await using project = await testProject({
      'base.yaml': `services:\n${chain.join('\n')}`,
      'compose.yaml': `services:\n${fan.join('\n')}`,
    })
    const { stack } = await project.load()
    expect(stack?.services['s7']?.image).toBe('x')
  })

  test('files that include each other twice at every level are stopped', async () => {
    const level = (i: number): string =>
      `include: [{path: ${i + 1}.yaml}, {path: [${i + 1}.yaml, x.yaml]}]`
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.yaml`, level(i)]))
    await using project = await testProject({
      ...files,
      '12.yaml': 'services: {a: {image: x}}',
      'x.yaml': 'services: {}',
    })
    const { errors } = await project.load({ files: ['0.yaml'] })
    expect(errors?.[0]?.message).toBe('more than 1000 files are included')
  })

  test('a service may be called constructor, a label __proto__', async () => {
    const stack = await stackOf(
      'services: {a: {image: x, labels: {__proto__: y}}, constructor: {image: x, depends_on: [a]}}',
    )
    expect(Object.keys(stack.services)).toEqual(['a', 'constructor'])
    expect(Object.entries(stack.services['a']?.labels ?? {})).toEqual([['__proto__', 'y']])
  })
})
