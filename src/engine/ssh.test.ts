import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectEngine } from './client.ts'

/** A program called ssh that connects its own pipes to a socket, or fails as ssh does. */
const program = (folder: string, socket: string) => `#!${process.execPath}
const { appendFileSync } = require('node:fs')
appendFileSync('${folder}/calls', process.argv.slice(2).join(' ') + '\\n')
if (process.argv.includes('refused')) {
  process.stderr.write('me@refused: Permission denied (publickey).\\r\\n')
  process.exit(255)
}
const socket = require('node:net').connect('${socket}')
process.stdin.pipe(socket).pipe(process.stdout)
`

describe('an engine behind ssh', () => {
  let folder: string
  let server: Server
  const path = process.env['PATH']
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'muster-ssh-'))
    const socket = join(folder, 'docker.sock')
    server = createServer((_request, response) => {
      response.setHeader('api-version', '1.41')
      response.end('[]')
    })
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    writeFileSync(join(folder, 'ssh'), program(folder, socket))
    chmodSync(join(folder, 'ssh'), 0o755)
    process.env['PATH'] = `${folder}:${path}`
  })
  afterEach(async () => {
    process.env['PATH'] = path
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(folder, { recursive: true })
  })
  const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

  it('is spoken to through one process, however many calls there are', async () => {
    await using engine = connectEngine({ host: 'ssh://me@box', env: {} })
    for (let call = 0; call < 5; call++) expect(await engine.listTasks()).toEqual([])
    expect(calls()).toEqual([
      '-T -o BatchMode=yes -o ConnectTimeout=10 -l me -- box docker system dial-stdio',
    ])
  })

  it('is unreachable in the words of ssh', async () => {
    await using engine = connectEngine({ host: 'ssh://refused', env: {} })
    await expect(engine.info()).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining('Permission denied (publickey)') as string,
      hint: expect.stringContaining('docker --host ssh://refused version') as string,
    })
  })

  it('is unreachable when there is no ssh', async () => {
    process.env['PATH'] = folder
    rmSync(join(folder, 'ssh'))
    await using engine = connectEngine({ host: 'ssh://box', env: {} })
    await expect(engine.info()).rejects.toMatchObject({
      code: 'ENGINE_UNREACHABLE',
      message: expect.stringContaining('ENOENT') as string,
    })
  })
})
