import { chmod, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderErrors } from './render-errors.ts'
import { brief, errorsOf, testProject } from './test-project.ts'

describe('what is wrong in a file', () => {
  test('all of it comes at once, in the order of the lines, each in its own words', async () => {
    const errors = await errorsOf(`services:
  web:
    image: nginx:\${TAG:?which one}
    ports:
      - target: 80
        published: eighty
      - "80:foo"
    enviroment: {A: b}
    deploy: {replicas: three, resources: {limits: {memory: lots}}}
    depends_on: {db: {condition: service_healty}}
    volumes: [data:/data]
    networks: [front]
  db: {image: [a], healthcheck: {interval: 10 seconds}}
  api: {depends_on: [webb]}
networks: {frontt: {}}
configs: {c: {file: a, content: b}}
`)
    expect(brief(errors)).toEqual([
      '3:18 services.web.image: the variable TAG must be set: which one',
      '6:9 services.web.ports[0].published: expected a port or a range of ports, got "eighty"',
      '7:9 services.web.ports[1]: expected a port or a range of ports, got "foo"',
      '8:5 services.web: unknown key "enviroment"',
      '9:24 services.web.deploy.replicas: expected a whole number, got "three"',
      '9:60 services.web.deploy.resources.limits.memory: expected a size such as 512m or 2gb, got "lots"',
      '10:23 services.web.depends_on.db.condition: expected "service_started", "service_healthy" or "service_completed_successfully", got "service_healty"',
      '11:15 services.web.volumes[0]: there is no volume "data"',
      '12:16 services.web.networks.front: there is no network "front"',
      '13:8 services.db.image: expected text, got a list',
      '13:44 services.db.healthcheck.interval: expected a time such as 10s or 1m30s, got "10 seconds"',
      '14:3 services.api: needs an "image" or a "build"',
      '14:22 services.api.depends_on.webb: there is no service "webb"',
      '16:24 configs.c: "file" and "content" exclude each other',
    ])
  })

  test.each([
    ['services: {a: {image: x, ports: [{published: 80}]}}', '"target" is missing'],
    ['services: {a: {image: x, depends_on: [a]}}', 'in a circle: a -> a'],
    ['services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}', 'in a circle'],
    ['services: {a: {extends: b}, b: {extends: a}}', 'extend each other in a circle'],
    ['services: {a: {extends: c, image: x}}', 'there is no service "c" in this file'],
    ['services: {a: {extends: {file: none.yaml, service: c}}}', 'there is no file none.yaml'],
    ['services: {a: {extends: {file: "https://x/c.yaml", service: c}}}', 'are not fetched'],
    ['include: [compose.yaml]', 'include each other in a circle'],
    [
      'include: [none.yaml]\nservices: {a: {image: x, depends_on: [inc]}}',
      'there is no file none.yaml',
    ],
    [
      'services: {a: {image: x, network_mode: host, networks: [n]}}\nnetworks: {n: {}}',
      'exclude each other',
    ],
    ['services: {a: {image: x, scale: 2, deploy: {replicas: 3}}}', 'differ: 2 and 3'],
    ['services: {a: {image: x, scale: 2, container_name: aa}}', 'the same container name'],
    [
      'services: {a: {image: x, tmpfs: /a, volumes: ["vol:/a"]}}\nvolumes: {vol: {}}',
      'mounted at /a already',
    ],
    [
      'services: {a: {image: x, healthcheck: {test: [curl]}}}',
      'expected "CMD", "CMD-SHELL" or "NONE"',
    ],
    ['services: {a: {image: x, env_file: none.env}}', 'there is no file none.env'],
    ['services: {a: {image: x, profiles: [p]}, b: {image: x, depends_on: [a]}}', 'is not active'],
    [
      'services: {a: {image: x}}\nvolumes: {v: {external: true, driver: d}}',
      'no meaning for an external volume',
    ],
    [
      'services: {a: {image: x}}\nsecrets: {s: {}}',
      'one of "file", "environment" or "external: true"',
    ],
    ['services: {a: {image: x, build: {platforms: [p]}, platform: q}}', 'not among them'],
    ['services: {a: {image: x, restart: [no]}}', 'expected text, got a list'],
    ['services: {a: {image: x, depends_on: [constructor]}}', 'there is no service "constructor"'],
    ['services: {a: {image: x, links: [b]}}', 'there is no service "b"'],
    [
      'services: {a: {image: x}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.1/33}]}}}',
      'expected a subnet such as 10.1.0.0/16, got "10.0.0.1/33"',
    ],
    ['services:', 'expected a map, got nothing'],
    ['[]', 'expected a map with "services:"'],
    ['', 'the file is empty'],
    ['# nothing', 'the file is empty'],
  ])('%s', async (text, message) => {
    const errors = await errorsOf(text)
    expect(errors.map((error) => error.message)).toEqual([expect.stringContaining(message)])
    expect(errors[0]?.location?.line).toBeGreaterThan(0)
  })

  test('nothing is said twice: what is missing because it was wrong is not missing', async () => {
    const errors = await errorsOf(
      'services: {a: {image: [x]}, b: 5, c: {image: x, depends_on: [b]}}',
    )
    expect(brief(errors)).toEqual([
      '1:16 services.a.image: expected text, got a list',
      '1:29 services.b: expected a map, got 5',
    ])
  })
})

describe('what is wrong with a file', () => {
  test.each([
    ['binary', new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 0, 1]), 'is not a text file'],
    ['not UTF-8', new Uint8Array([0x61, 0x3a, 0xff]), 'is not a text file (not UTF-8)'],
    ['too large', new Uint8Array(6 * 1024 * 1024).fill(97), 'is larger than 5 MiB'],
  ])('%s', async (_title, bytes, message) => {
    await using project = await testProject({ 'compose.yaml': bytes })
    const { errors } = await project.load()
    expect(errors).toMatchObject([{ message: `compose.yaml ${message}` }])
  })

  test('a folder, a loop of links, no file, no file at all, no permission', async () => {
    await using project = await testProject({ x: '', secret: '' })
    await mkdir(join(project.folder, 'dir'))
    await symlink('loop', join(project.folder, 'loop'))
    await chmod(join(project.folder, 'secret'), 0)
    const said = async (files: string[]): Promise<string | undefined> =>
      (await project.load({ files, cwd: project.folder })).errors?.[0]?.message
    expect(await said(['dir'])).toBe('dir is a folder, not a file')
    expect(await said(['loop'])).toBe('loop is a symbolic link that leads nowhere')
    expect(await said(['none'])).toBe('there is no file none')
    expect(await said(['x/y'])).toBe('there is no file x/y')
    expect(await said([])).toContain('there is no compose.yaml in')
    // Root may read everything.
    if (process.getuid?.() !== 0) expect(await said(['secret'])).toContain('may not be read')
  })

  test('UTF-16 with a byte order mark is text', async () => {
    const text = '\ufeffservices: {a: {image: x}}'
    await using project = await testProject({ 'compose.yaml': Buffer.from(text, 'utf16le') })
    expect((await project.load()).stack?.services['a']?.image).toBe('x')
  })

  test('a project name that cannot be', async () => {
    await using project = await testProject({ 'compose.yaml': 'services: {a: {image: x}}' })
    const { errors } = await project.load({ projectName: 'My.App' })
    expect(errors?.[0]?.message).toContain('"My.App" is not a project name')
  })
})

describe('renderErrors', () => {
  test('place, words, the line, a caret, what to do', async () => {
    const errors = await errorsOf('services:\n  web:\n\t  - x', {})
    expect(renderErrors(errors)).toBe(
      'compose.yaml:3:1 a tab: YAML is indented with spaces only\n    3 | \t  - x\n      | ^\n',
    )
    const more = await errorsOf('services:\n  web:\n    image: x\n    prots: []\n')
    expect(renderErrors(more))
      .toBe(`compose.yaml:4:5 service "web": unknown key "prots". Did you mean "ports"?
    4 |     prots: []
      |     ^^^^^
`)
  })

  test('a very long line is shown around the place, control characters are not', () => {
    const location = {
      file: 'f',
      line: 1,
      column: 500,
      text: `${'a'.repeat(499)}\u001b[31m${'b'.repeat(500)}`,
      caret: { column: 500, length: 3 },
    }
    const text = renderErrors([{ path: 'p', message: 'm', location }])
    const [, line = '', caret = ''] = text.split('\n')
    expect(line.length).toBeLessThan(180)
    expect(line).not.toContain('\u001b')
    expect(line[caret.indexOf('^')]).toBe('?')
  })
})
