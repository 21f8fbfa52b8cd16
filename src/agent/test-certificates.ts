/** Certificates of the same shape as Swarm's, for tests and measurements. Needs `openssl`. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A certificate authority in a folder, named as Swarm's own. */
export class TestAuthority {
  readonly folder: string
  readonly cluster: string

  constructor(folder: string, cluster = 'cluster1') {
    this.folder = folder
    this.cluster = cluster
    mkdirSync(folder, { recursive: true })
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '2', '-subj', '/CN=swarm-ca'],
      ...['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.crt')],
    )
  }

  /**
   * Writes what a host finds in `swarm/certificates` into a folder of its own, and returns that. The
   * key has the notes in its header that Swarm writes on managers.
   */
  issue(
    host: string,
    role: 'swarm-manager' | 'swarm-worker',
    options: { days?: number } = {},
  ): string {
    const target = join(this.folder, host)
    mkdirSync(target, { recursive: true })
    const file = (name: string) => join(target, name)
    const extensions = file('extensions')
    writeFileSync(
      extensions,
      `extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:${role},DNS:${host}\n`,
    )
    openssl(
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-subj', `/O=${this.cluster}/OU=${role}/CN=${host}`],
      ...['-keyout', file('plain.key'), '-out', file('request')],
    )
    openssl(
      ...['x509', '-req', '-in', file('request'), '-extfile', extensions],
      ...['-CA', join(this.folder, 'ca.crt'), '-CAkey', join(this.folder, 'ca.key')],
      ...['-CAcreateserial', '-days', String(options.days ?? 1)],
      ...['-out', file('swarm-node.crt')],
    )
    const key = readFileSync(file('plain.key'), 'utf8')
    writeFileSync(
      file('swarm-node.key'),
      key.replace(/(BEGIN [A-Z ]+-----\n)/, '$1kek-version: 0\nraft-dek: aGVsbG8=\n\n'),
      { mode: 0o600 },
    )
    writeFileSync(file('swarm-root-ca.crt'), readFileSync(join(this.folder, 'ca.crt')))
    return target
  }
}

const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 })
}
