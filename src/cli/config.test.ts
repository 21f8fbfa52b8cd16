import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { testProject } from '../compose/test-project.ts'
import { register } from './config.ts'

const COMPOSE = `version: "3"
services:
  web: {image: "x:\${TAG:-1}", depends_on: [db], ports: ["80:80"]}
  db: {image: "\${DB:?}", volumes: [data:/d]}
volumes: {data: {}}
`

afterEach(() => {
  vi.restoreAllMocks()
  process.exitCode = undefined
})

/** Runs the command; returns what it wrote. */
const run = async (...args: string[]): Promise<{ out: string; err: string; code: unknown }> => {
  const written = { out: '', err: '' }
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written.out += String(text)
    return true
  })
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.err += String(text)
    return true
  })
  const program = new Command().exitOverride()
  register(program)
  await program.parseAsync(['config', '-p', 'proj', ...args], { from: 'user' })
  return { ...written, code: process.exitCode }
}

describe('muster config', () => {
  test('prints the model, or parts of it', async () => {
    await using project = await testProject({ 'compose.yaml': COMPOSE, '.env': 'DB=pg' })
    const file = ['-f', join(project.folder, 'compose.yaml')]
    const { out, err, code } = await run(...file, '--format', 'json')
    expect(JSON.parse(out)).toMatchObject({
      name: 'proj',
      services: { web: { image: 'x:1' }, db: { image: 'pg' } },
      volumes: { data: { name: 'proj_data' } },
    })
    expect(err).toContain('"version" is obsolete')
    expect(code).toBeUndefined()
    expect((await run(...file)).out).toContain('    image: pg\n')
    expect((await run(...file, '--services')).out).toBe('web\ndb\n')
    expect((await run(...file, '--images')).out).toBe('x:1\npg\n')
    expect((await run(...file, '--volumes')).out).toBe('data\n')
    expect((await run(...file, '--services', 'db')).out).toBe('db\n')
    expect((await run(...file, '--check')).out).toBe('')
    expect((await run(...file, '--hash', 'db')).out).toMatch(/^db [0-9a-f]{64}\n$/)
    expect((await run(...file, '--no-interpolate')).out).toContain('image: x:${TAG:-1}')
    expect((await run(...file, '--variables')).out).toBe(
      'NAME\tREQUIRED\tDEFAULT VALUE\tALTERNATE VALUE\nDB\ttrue\t\t\nTAG\tfalse\t1\t\n',
    )
  })

  test('what the user wrote wrong is exit status 2, all of it', async () => {
    await using project = await testProject({ 'compose.yaml': `${COMPOSE}nets: {}\n` })
    const { out, err, code } = await run('-f', join(project.folder, 'compose.yaml'))
    expect(out).toBe('')
    expect(err).toContain('services.db.image: the variable DB must be set. Set DB in')
    expect(err).toContain('unknown key "nets"')
    expect(err).toContain('2 errors, nothing was changed.')
    expect(code).toBe(2)
    await expect(run('--format', 'xml')).rejects.toMatchObject({ code: 'USAGE' })
  })
})
