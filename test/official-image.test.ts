/** An image laid out as the official one of MariaDB, and what is run when a cluster is first made. */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import { GaleraLab } from './galera-lab.ts'
import { bringUp, ROOT } from './member-lab.ts'

const IMAGE = 'mariadb:11-official'
const FOLDER = '/srv/initdb'

let galera: GaleraLab

const file = (service: string, folder: string): string =>
  JSON.stringify({
    name: 'shop',
    services: {
      [service]: {
        image: `registry:5000/${IMAGE}`,
        environment: {
          MARIADB_DATABASE: 'shop',
          MARIADB_USER: 'web',
          MYSQL_PASSWORD: 'not-a-secret',
        },
        volumes: [`${folder}:/docker-entrypoint-initdb.d:ro`],
        deploy: { replicas: 2 },
      },
    },
  })

/** Every host has the folder: nobody knows who forms the cluster. */
const put = async (folder: string, files: Record<string, string | Buffer>): Promise<void> => {
  const commands = Object.entries(files).map(
    ([name, content]) =>
      `echo ${Buffer.from(content).toString('base64')} | base64 -d >${folder}/${name}`,
  )
  for (const host of galera.lab.hosts) {
    const run = ['sh', '-c', [`mkdir -p ${folder}`, ...commands].join(' && ')]
    const { exitCode, stderr } = await galera.lab.exec(host, run)
    if (exitCode !== 0) throw new Error(stderr)
  }
}

beforeAll(async () => {
  const images = [{ name: IMAGE, context: `${ROOT}test/images/mariadb-official` }]
  const lab = await bringUp({ name: 'official', hosts: 2, images })
  galera = new GaleraLab({ lab, stack: 'shop', service: 'db' })
}, 600_000)

afterAll(async () => {
  await galera?.[Symbol.asyncDispose]()
})

describe('an image laid out as the official one', () => {
  it('becomes a cluster, and runs what lies in /docker-entrypoint-initdb.d once and in order', async () => {
    await put(FOLDER, {
      '1-table.sql': 'CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1);',
      '2-more.sql.gz': gzipSync('INSERT INTO t SELECT MAX(n) + 1 FROM t;'),
      '3-script.sh': 'mariadb shop -e "INSERT INTO t SELECT MAX(n) * 10 FROM t"\n',
      README: 'Not a script.',
    })
    await galera.must(['up', '-f', '-', '--yes'], { input: file('db', FOLDER) })
    const members = await galera.ready(2)
    for (const { member } of members) {
      expect(
        await galera.sql(member, 'SET wsrep_sync_wait=1; SELECT n FROM shop.t ORDER BY n'),
      ).toBe('1\n2\n20')
    }
    const grants = await galera.sql('db-1', "SHOW GRANTS FOR 'web'@'%'")
    expect(grants).toContain('ON `shop`.* TO')
    await galera.kill('db-1', 'db-2')
    await galera.changed('db-1')
    await galera.ready(2)
    expect(await galera.sql('db-2', 'SELECT COUNT(*) FROM shop.t')).toBe('3')
  }, 300_000)

  it('is not made a cluster when a script fails, and says which', async () => {
    await put('/srv/broken', { '1-good.sql': 'CREATE TABLE t (n INT);', '2-bad.sql': 'SELEC 1;' })
    await galera.must(['up', '-f', '-', '--yes', '--detach'], {
      input: file('other', '/srv/broken'),
    })
    await until(
      'the reason to be shown',
      async () => {
        const { stdout } = await galera.muster(['why', 'other'])
        return stdout.includes('2-bad.sql has failed') && stdout.includes('ERROR 1064')
      },
      { timeoutMs: 120_000, intervalMs: 1000 },
    )
  }, 180_000)
})
