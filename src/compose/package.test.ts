/** The export `muster/compose`, as other projects get it: built, and with types (`npm run build`). */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const run = promisify(execFile)

beforeAll(async () => {
  if (!existsSync(join(root, 'dist/types')))
    await run(process.execPath, ['scripts/build.ts'], { cwd: root })
}, 60_000)

/** Another project that depends on this one. */
const project = async (): Promise<AsyncDisposable & { folder: string }> => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-consumer-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(root, join(folder, 'node_modules/muster'))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

test('loads a file, and says what is wrong in another', async () => {
  await using consumer = await project()
  const { folder } = consumer
  await writeFile(join(folder, 'good.yaml'), 'services: { web: { image: "app:${TAG:-1}" } }')
  await writeFile(join(folder, 'bad.yaml'), 'services:\n  web:\n    imag: app\n')
  await writeFile(
    join(folder, 'main.js'),
    `import { loadStack, renderErrors, renderStack } from 'muster/compose'
const good = await loadStack({ files: ['good.yaml'], projectName: 'shop', env: {} })
const bad = await loadStack({ files: ['bad.yaml'], projectName: 'shop', env: {} })
console.log(JSON.stringify({
  image: good.stack.services.web.image,
  text: renderStack(good.stack, 'yaml'),
  errors: renderErrors(bad.errors),
}))`,
  )
  const { stdout } = await run(process.execPath, ['main.js'], { cwd: folder })
  const said = JSON.parse(stdout) as { image: string; text: string; errors: string }
  expect(said.image).toBe('app:1')
  expect(said.text).toContain('name: shop\n')
  expect(said.errors).toMatch(/^bad\.yaml:3:5 .*unknown key "imag"/)
  expect(said.errors).toContain('Did you mean "image"?')
})

test('has types that another strict project compiles against', async () => {
  await using consumer = await project()
  const { folder } = consumer
  await writeFile(
    join(folder, 'main.ts'),
    `import { loadStack, type ComposeError, type Service, type Stack } from 'muster/compose'
const result = await loadStack({ files: ['compose.yaml'] })
export const errors: ComposeError[] = result.errors ?? []
export const stack: Stack | undefined = result.stack
export const web: Service | undefined = result.stack?.services['web']
// @ts-expect-error: an image is text
export const image: number | undefined = web?.image
`,
  )
  const args = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', 'main.ts']
  await run(join(root, 'node_modules/.bin/tsc'), args, { cwd: folder })
})

test('imports nothing but what comes with it', async () => {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, Record<string, string>>
  }
  for (const file of Object.values(exports['./compose'] ?? {})) {
    expect(await readFile(join(root, file), 'utf8')).not.toMatch(/from ['"](?!\.|node:)/)
  }
})
