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
    openssl(`req -x509 ${NEW_KEY} -days 2 -subj /CN=swarm-ca -keyout ca.key -out ca.crt`, folder)
  }

  /**
   * Writes what a host finds in `swarm/certificates` into a folder of its own, and returns that. The
   * key has the notes in its header that Swarm writes on managers. `keyOf` another host saves time.
   */
  issue(
    host: string,
    role: 'swarm-manager' | 'swarm-worker',
    options: { days?: number; keyOf?: string } = {},
  ): string {
    const target = join(this.folder, host)
    mkdirSync(target, { recursive: true })
    const file = (name: string) => join(target, name)
    writeFileSync(
      file('extensions'),
      `extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:${role},DNS:${host}\n`,
    )
    const source = join(this.folder, options.keyOf ?? host)
    const subject = `/O=${this.cluster}/OU=${role}/CN=${host}`
    if (options.keyOf === undefined) {
      openssl(`req -new ${NEW_KEY} -subj ${subject} -keyout plain.key -out request`, target)
    }
    openssl(
      `x509 -req -in ${source}/request -subj ${subject} -extfile extensions -CA ../ca.crt -CAkey ../ca.key -CAcreateserial -days ${options.days ?? 1} -out swarm-node.crt`,
      target,
    )
    const key = readFileSync(join(source, 'plain.key'), 'utf8')
    writeFileSync(
      file('swarm-node.key'),
      key.replace(/(BEGIN [A-Z ]+-----\n)/, '$1kek-version: 0\nraft-dek: aGVsbG8=\n\n'),
      { mode: 0o600 },
    )
    writeFileSync(file('swarm-root-ca.crt'), readFileSync(join(this.folder, 'ca.crt')))
    return target
  }
}

const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'

const openssl = (args: string, cwd: string): void => {
  execFileSync('openssl', args.split(' '), {
    cwd,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 20_000,
  })
}
