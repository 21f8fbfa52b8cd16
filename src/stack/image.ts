/** An image reference in its parts, as Docker reads them. */
export interface ImageReference {
  /** `docker.io` unless written. */
  registry: string
  /** `library/nginx`, `shop/web`. */
  repository: string
  tag: string | undefined
  digest: string | undefined
}

const DOCKER_HUB = 'docker.io'

/** The parts of `[registry/]repository[:tag][@digest]`; undefined if it is not a reference. */
export const parseImage = (text: string): ImageReference | undefined => {
  const match =
    /^((?:[\w.-]+(?::\d+)?|\[[\da-fA-F:]+\](?::\d+)?)(?:\/[\w.-]+)*)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}))?$/i.exec(
      text,
    )
  if (match === null) return undefined
  const [, path = '', tag, digest] = match
  const slash = path.indexOf('/')
  const first = slash < 0 ? '' : path.slice(0, slash)
  const hasRegistry = /[.:]/.test(first) || first === 'localhost'
  // `name:5000` alone is a name and a tag; the greedy pattern reads the number as a port.
  const port = slash < 0 && tag === undefined ? /^(.*):(\d+)$/.exec(path) : null
  if (port !== null) return parseImage(`library/${port[1]}:${port[2]}`)
  const repository = hasRegistry ? path.slice(slash + 1) : path
  if (repository !== repository.toLowerCase() || repository.includes(':')) return undefined
  const registry = hasRegistry ? first.replace(/^index\.docker\.io$/, DOCKER_HUB) : DOCKER_HUB
  const official = registry === DOCKER_HUB && !repository.includes('/')
  return { registry, repository: official ? `library/${repository}` : repository, tag, digest }
}

/** The short form with a tag, as Docker posts it: `nginx` becomes `nginx:latest`. */
export const familiarImage = (image: ImageReference): string => {
  const { registry, repository, tag, digest } = image
  const name =
    registry === DOCKER_HUB ? repository.replace(/^library\//, '') : `${registry}/${repository}`
  const version = tag ?? (digest === undefined ? 'latest' : undefined)
  return `${name}${version === undefined ? '' : `:${version}`}${digest === undefined ? '' : `@${digest}`}`
}

/** The reference without its digest; what `name:tag@sha256:...` was pinned from. */
export const withoutDigest = (image: string): string => image.replace(/@[^@/]+$/, '')

/** The digest in a reference, if it has one. */
export const digestOf = (image: string): string | undefined => /@([^@/]+)$/.exec(image)?.[1]
