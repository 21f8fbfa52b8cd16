import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { replaceFile } from './config-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-file-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('replaces a file, and makes its folder', async () => {
  const path = join(folder, 'edge', 'haproxy.cfg')
  await replaceFile(path, 'one')
  await replaceFile(path, 'two')
  expect(await readFile(path, 'utf8')).toBe('two')
  expect(await readdir(join(folder, 'edge'))).toEqual(['haproxy.cfg'])
})

it('leaves the old file and nothing else when it cannot write', async () => {
  const path = join(folder, 'haproxy.cfg')
  await replaceFile(path, 'one')
  const obstacle = join(folder, `.${process.pid}.tmp`)
  await mkdir(obstacle)
  await expect(replaceFile(path, 'two')).rejects.toThrow('EISDIR')
  expect(await readFile(path, 'utf8')).toBe('one')
})
