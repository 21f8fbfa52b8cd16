/** The base image debian:bookworm-slim, made from Debian's packages: no image registry is needed. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MusterError, messageOf } from '../base/index.ts'
import { type Builder, inBuilder } from './builder.ts'
import { CACHE_DIR } from './paths.ts'
import { run } from './run.ts'

export const BASE_IMAGE = 'debian:bookworm-slim'
const SUITE = 'bookworm'
/** Goes into the hash of every image: raise it when the recipe below changes. */
export const BASE_RECIPE = 'bookworm-slim-2'
/** The base image again, under a name that says that this very recipe made (or pulled) it. */
const MADE_BY_RECIPE = `muster-base:${BASE_RECIPE}`
const MAKE_MS = 300_000

/** Parts of a package that a container does not need, as Debian's own slim images leave them out. */
const LEFT_OUT = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/lintian/*',
  '/usr/share/linda/*',
  '/usr/share/groff/*',
]

/**
 * Package sources of bookworm in apt's one-line form, from what this machine's own apt uses: lines
 * of `apt-get indextargets` as `URI|release|component|origin|code name`. None if apt
 * knows of none.
 */
export const debianSources = (targets: string): string[] => {
  const rows = targets
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([, , , origin]) => origin === 'Debian')
  const sources = (filter: (codeName: string) => boolean) =>
    rows
      .filter(([, , component, , codeName]) => component === 'main' && filter(codeName ?? ''))
      .map(([uri, release]) => `deb ${uri} ${release} main`)
  const own = sources((codeName) => codeName === SUITE || codeName.startsWith(`${SUITE}-`))
  if (own.length > 0) return [...new Set(own)]
  // Another release of Debian: its mirror has bookworm too.
  const mirror = rows.find(([, release]) => /^[a-z]+$/.test(release ?? ''))?.[0]
  return mirror === undefined
    ? []
    : [`deb ${mirror} ${SUITE} main`, `deb ${mirror} ${SUITE}-updates main`]
}

/** How this machine's apt reaches its mirror (proxies, clock checks), as lines of apt.conf. */
export const fetchSettings = (dump: string): string[] =>
  dump
    .split('\n')
    .filter((line) =>
      /^Acquire::(https?(::\S*)?::Proxy|https?::CaInfo|Check-Valid-Until|Check-Date)\b.* ".+";$/.test(
        line,
      ),
    )

/** Makes sure that the builder has the base image: makes it, or else pulls it. */
export const ensureBaseImage = async (
  builder: Builder,
  onProgress: (line: string) => void,
): Promise<void> => {
  const made = await inBuilder(builder, ['docker', 'images', '--quiet', MADE_BY_RECIPE])
  if (made.trim() !== '') return
  onProgress(`making ${BASE_IMAGE} from Debian packages (about 15 s)`)
  try {
    await makeBaseImage(builder)
  } catch (cause) {
    onProgress(`it cannot be made here, pulling ${BASE_IMAGE}`)
    try {
      await inBuilder(builder, ['docker', 'pull', BASE_IMAGE], { timeoutMs: MAKE_MS })
    } catch (pull) {
      throw new MusterError(
        'LAB',
        `${BASE_IMAGE} can be neither made (${messageOf(cause)}) nor pulled (${messageOf(pull)}).`,
        { cause, hint: 'Does `apt-get update` work on this machine?' },
      )
    }
  }
  await inBuilder(builder, ['docker', 'tag', BASE_IMAGE, MADE_BY_RECIPE])
}

const makeBaseImage = async (builder: Builder): Promise<void> => {
  const { lab } = builder
  const format = '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CODENAME)'
  const readSources = async () =>
    debianSources(
      await run(lab, ['apt-get', 'indextargets', '--format', format, 'Identifier: Packages']),
    )
  let sources = await readSources()
  if (sources.length === 0) {
    // Without package lists apt does not know whose its sources are.
    await run(lab, ['apt-get', '-qq', 'update'], { timeoutMs: MAKE_MS })
    sources = await readSources()
  }
  const settings = fetchSettings(await run(lab, ['apt-config', 'dump']))
  const folder = join(CACHE_DIR, 'base')
  const tar = join(folder, 'base.tar')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  try {
    await inBuilder(
      builder,
      [
        'env',
        `TMPDIR=${folder}`,
        'mmdebstrap',
        '--variant=minbase',
        '--quiet',
        // Instead of usrmerge, which brings all of Perl.
        '--include=usr-is-merged',
        '--aptopt=Dir::Cache::pkgcache ""',
        '--aptopt=Dir::Cache::srcpkgcache ""',
        '--aptopt=Acquire::Languages "none"',
        ...settings.map((line) => `--aptopt=${line.replace(/;$/, '')}`),
        ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
        '--dpkgopt=path-include=/usr/share/doc/*/copyright',
        '--customize-hook=rm -rf "$1"/etc/hostname "$1"/etc/resolv.conf "$1"/var/log/*.log "$1"/var/log/apt "$1"/var/cache/ldconfig/*',
        SUITE,
        tar,
        ...sources,
      ],
      { timeoutMs: MAKE_MS },
    )
    await inBuilder(builder, ['docker', 'import', '--change', 'CMD ["bash"]', tar, BASE_IMAGE], {
      timeoutMs: MAKE_MS,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
