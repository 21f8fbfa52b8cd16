/** examples/galera as its README has it: members, balancers and a client, on real engines. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { ensureImages, formCluster, type Lab, labUp } from '../src/lab/index.ts'

const root = new URL('..', import.meta.url).pathname

describe('examples/galera', () => {
  let lab: Lab
  const run = async (host: string, ...argv: string[]) => {
    const { stdout, stderr, exitCode } = await lab.exec(host, argv, { timeoutMs: 290_000 })
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stdout}\n${stderr}`)
    return stdout.trim()
  }
  /** A statement through a balancer of another host, with the client's account. */
  const ask = (host: string, port: number, sql: string) =>
    run(
      host,
      'docker',
      'run',
      '--rm',
      '--network',
      'host',
      'registry:5000/muster/mariadb:10.11',
      'mariadb',
      '--no-defaults',
      '--host=127.0.0.1',
      `--port=${port}`,
      '--user=shop',
      '--password=correct horse battery staple',
      '--connect-timeout=3',
      '--batch',
      '--skip-column-names',
      'shop',
      `--execute=${sql}`,
    )
  const rows = async () => Number(await ask('host-3', 3306, 'SELECT COUNT(*) FROM ticks'))
  const node = (port: number) => ask('host-3', port, 'SELECT @@wsrep_node_name')

  beforeAll(async () => {
    lab = await labUp({ name: 'galera-example', hosts: 3 })
    await ensureImages(lab, [
      { name: 'muster/edge:1', context: `${root}images/edge` },
      { name: 'muster/haproxy:2.6', context: `${root}images/haproxy` },
      { name: 'muster/mariadb:10.11', context: `${root}images/mariadb` },
    ])
    await formCluster(lab, { edgeImage: 'registry:5000/muster/edge:1' })
  }, 600_000)
  afterAll(async () => {
    await lab?.down()
  })

  it('comes up, and the client writes through the balancer', async () => {
    await run('host-1', 'muster', 'up', '-f', `${root}examples/galera/compose.yaml`)
    const before = await rows()
    await until('more rows', async () => (await rows()) > before + 10, { timeoutMs: 30_000 })
  }, 300_000)

  it('leads writes to one member and reads to all', async () => {
    const writers = new Set<string>()
    const readers = new Set<string>()
    for (let i = 0; i < 6; i++) {
      writers.add(await node(3306))
      readers.add(await node(4008))
    }
    expect([...writers]).toHaveLength(1)
    expect(readers.size).toBeGreaterThan(1)
  }, 120_000)

  it('goes on through the same balancers when the writer dies', async () => {
    const writer = await node(3306)
    let killed = false
    for (const host of lab.hosts) {
      const id = await run(
        host,
        'docker',
        'ps',
        '--quiet',
        '--filter',
        `label=com.docker.swarm.service.name=${writer}`,
      )
      if (id === '') continue
      await run(host, 'docker', 'kill', id)
      killed = true
    }
    expect(killed).toBe(true)
    const another = await until(
      'another writer',
      async () => {
        const now = await node(3306).catch(() => '')
        return now !== '' && now !== writer && now
      },
      { timeoutMs: 30_000 },
    )
    // Each balancer hears of it by itself, so one may be a moment behind.
    const some = () => rows().catch(() => undefined)
    const before = await until('an answer', some, { timeoutMs: 30_000 })
    await until('more rows', async () => ((await some()) ?? 0) > before + 5, { timeoutMs: 30_000 })
    expect(await node(3306)).toBe(another)
    console.log(await run('host-1', 'muster', 'logs', 'client'))
  }, 120_000)
})
