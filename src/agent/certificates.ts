/** The certificates that Swarm gives every host, as TLS needs them. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError, messageOf } from '../base/index.ts'

/** Who a certificate says its owner is. */
export interface Identity {
  /** Swarm's node id (CN). */
  host: string
  /** May ask for, and say, what only managers may (OU). */
  manager: boolean
  /** Swarm's cluster id (O). */
  cluster: string
}

/** PEM texts and whom they name. */
export interface Certificates {
  ca: string
  cert: string
  key: string
  identity: Identity
}

/** Subject of a certificate as TLS sockets give it; null if it is none of Swarm's. */
export const identityOf = (subject: object | undefined): Identity | null => {
  const { CN, OU, O }: { CN?: unknown; OU?: unknown; O?: unknown } = subject ?? {}
  if (typeof CN !== 'string' || typeof OU !== 'string' || typeof O !== 'string') return null
  if (OU !== 'swarm-manager' && OU !== 'swarm-worker') return null
  return { host: CN, manager: OU === 'swarm-manager', cluster: O }
}

/** Swarm keeps notes (`raft-dek`, `kek-version`) as headers of the key's PEM: OpenSSL wants none. */
export const withoutHeaders = (pem: string): string =>
  pem.replaceAll(/(-----BEGIN [^\n]+-----\n)(?:[\w-]+: [^\n]*\n)+\n?/g, '$1')

/** Reads them from `<DockerRootDir>/swarm/certificates`. Throws HOST_SETUP with the reason. */
export const readCertificates = async (folder: string): Promise<Certificates> => {
  try {
    const [ca, cert, keyFile] = await Promise.all(
      ['swarm-root-ca.crt', 'swarm-node.crt', 'swarm-node.key'].map((file) =>
        readFile(join(folder, file), 'utf8'),
      ),
    )
    if (ca === undefined || cert === undefined || keyFile === undefined) throw new Error('empty')
    if (/^Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED/m.test(keyFile)) {
      throw new MusterError('HOST_SETUP', 'The key of this host is encrypted: Swarm is locked.', {
        hint: 'Muster does not work with autolock: docker swarm update --autolock=false',
      })
    }
    const key = withoutHeaders(keyFile)
    const parsed = new X509Certificate(cert)
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      throw new Error('key of another certificate')
    const identity = identityOf(parsed.toLegacyObject().subject)
    if (!identity) throw new Error('not a certificate of Swarm')
    return { ca, cert, key, identity }
  } catch (cause) {
    if (cause instanceof MusterError) throw cause
    throw new MusterError(
      'HOST_SETUP',
      `Cannot use the certificates in ${folder}: ${messageOf(cause)}`,
      { cause, hint: 'They appear when the host joins a swarm; Muster goes on trying.' },
    )
  }
}

/** Swarm replaces the three files one after the other. */
const SETTLE_MS = 300
/** In case the folder was replaced and the kernel's watch with it. */
const RECHECK_MS = 60_000

/** Keeps the certificates of this host up to date: Swarm renews them, and a change of role too. */
export class CertificateWatch implements Disposable {
  readonly #folder: string
  readonly #onChange: (certificates: Certificates) => void
  readonly #onError: (error: unknown) => void
  #watcher: FSWatcher | undefined
  #settle: NodeJS.Timeout | undefined
  #recheck: NodeJS.Timeout | undefined
  #current: Certificates

  constructor(options: {
    folder: string
    current: Certificates
    onChange: (certificates: Certificates) => void
    onError: (error: unknown) => void
  }) {
    this.#folder = options.folder
    this.#current = options.current
    this.#onChange = options.onChange
    this.#onError = options.onError
  }

  get current(): Certificates {
    return this.#current
  }

  start(): void {
    this.#watcher = watch(this.#folder, () => this.#soon())
    this.#watcher.on('error', (error) => this.#onError(error))
    this.#recheck = setInterval(() => this.#soon(), RECHECK_MS)
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
    clearTimeout(this.#settle)
    clearInterval(this.#recheck)
  }

  #soon(): void {
    clearTimeout(this.#settle)
    this.#settle = setTimeout(() => void this.#reload(), SETTLE_MS)
  }

  async #reload(): Promise<void> {
    try {
      const next = await readCertificates(this.#folder)
      if (next.cert === this.#current.cert && next.ca === this.#current.ca) return
      this.#current = next
      this.#onChange(next)
    } catch (error) {
      this.#onError(error)
    }
  }
}
