import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { digestOf, familiarImage, parseImage, withoutDigest } from './image.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

test.each([
  ['nginx', 'docker.io', 'library/nginx', undefined, 'nginx:latest'],
  ['nginx:1.27', 'docker.io', 'library/nginx', '1.27', 'nginx:1.27'],
  ['shop/web', 'docker.io', 'shop/web', undefined, 'shop/web:latest'],
  ['registry:5000/shop/web:41', 'registry:5000', 'shop/web', '41', 'registry:5000/shop/web:41'],
  ['localhost/web', 'localhost', 'web', undefined, 'localhost/web:latest'],
  ['docker.io/library/nginx:1', 'docker.io', 'library/nginx', '1', 'nginx:1'],
  ['ghcr.io/a/b/c:v1', 'ghcr.io', 'a/b/c', 'v1', 'ghcr.io/a/b/c:v1'],
  ['web:5000', 'docker.io', 'library/web', '5000', 'web:5000'],
])('%s', (...[text, registry, repository, tag, familiar]) => {
  const image = parseImage(text)
  expect(image).toEqual({ registry, repository, tag, digest: undefined })
  expect(image && familiarImage(image)).toBe(familiar)
})

test('a digest is kept, and no tag is made up beside it', () => {
  const image = parseImage(`web@${DIGEST}`)
  expect(image && familiarImage(image)).toBe(`web@${DIGEST}`)
  expect(withoutDigest(`r:5/web:1@${DIGEST}`)).toBe('r:5/web:1')
  expect(digestOf(`r:5/web:1@${DIGEST}`)).toBe(DIGEST)
  expect(digestOf('r:5/web:1')).toBeUndefined()
})

test.each(['', 'Web', 'web:', 'web@sha256:x', 'a b', '/web', 'web:tag:tag'])(
  '%j is none',
  (text) => {
    expect(parseImage(text)).toBeUndefined()
  },
)

test('the familiar form means the same image', () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,8}$/)
  const registry = fc.constantFrom('', 'registry:5000/', 'ghcr.io/', 'localhost/')
  const tag = fc.option(fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,8}$/), { nil: '' })
  fc.assert(
    fc.property(
      registry,
      fc.array(part, { minLength: 1, maxLength: 3 }),
      tag,
      (host, path, suffix) => {
        const image = parseImage(`${host}${path.join('/')}${suffix === '' ? '' : `:${suffix}`}`)
        expect(image).toBeDefined()
        if (image === undefined) return
        const again = parseImage(familiarImage(image))
        expect(again).toEqual({ ...image, tag: image.tag ?? 'latest' })
      },
    ),
  )
})
