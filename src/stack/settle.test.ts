import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { desiredFrom, emptyCluster } from './fixtures.ts'
import { readRegistryAuth } from './registry-auth.ts'
import { imagesToPin, settle } from './settle.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const OLD = `sha256:${'b'.repeat(64)}`

const running = (image: string) => {
  const cluster = emptyCluster()
  cluster.services = [
    {
      ID: 's',
      Version: { Index: 1 },
      Spec: {
        Name: 'shop_web',
        Labels: { 'com.docker.stack.namespace': 'shop' },
        TaskTemplate: { ContainerSpec: { Image: image } },
      },
    },
  ]
  return cluster
}

const imageOf = async (
  yaml: string,
  answers: Parameters<typeof settle>[2],
  cluster = emptyCluster(),
) => {
  const { settled, notes } = settle(await desiredFrom(yaml), cluster, answers)
  return { image: settled.services[0]?.spec.TaskTemplate.ContainerSpec.Image, notes }
}

describe('images', () => {
  const WEB = 'services: { web: { image: "web:1" } }'
  const silence = new Map([['web:1', { error: 'the registry does not answer' }]])

  test('are pinned to the digest that the registry has now', async () => {
    const answers = new Map([['web:1', { digest: DIGEST }]])
    expect(await imageOf(WEB, answers, running(`web:1@${OLD}`))).toEqual({
      image: `web:1@${DIGEST}`,
      notes: [],
    })
  })

  test('keep the digest that runs when the registry does not answer', async () => {
    const kept = await imageOf(WEB, silence, running(`web:1@${OLD}`))
    expect(kept.image).toBe(`web:1@${OLD}`)
    expect(kept.notes.join()).toContain('the running version is kept')
  })

  test('are not pinned when nobody knows a digest, and that is said', async () => {
    for (const cluster of [emptyCluster(), running(`web:0@${OLD}`), running('web:1')]) {
      const open = await imageOf(WEB, silence, cluster)
      expect(open.image).toBe('web:1')
      expect(open.notes.join()).toContain('not pinned')
    }
  })

  test('with a digest, or that are never pulled, are nobody else’s business', async () => {
    const fixed = await desiredFrom(
      `services: { a: { image: "web@${DIGEST}" }, b: { image: "web:1", pull_policy: never } }`,
    )
    expect(imagesToPin(fixed)).toEqual([])
  })
})

describe('what docker login left', () => {
  const withConfig = async (config: object, images: string[]) => {
    const folder = await mkdtemp(join(tmpdir(), 'muster-auth-'))
    try {
      await writeFile(join(folder, 'config.json'), JSON.stringify(config))
      const auth = await readRegistryAuth(images, folder)
      return images.map((image) => {
        const text = auth(image)
        return text === undefined
          ? undefined
          : (JSON.parse(Buffer.from(text, 'base64url').toString()) as object)
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  test('goes with the images of that registry, and with no others', async () => {
    const auth = Buffer.from('me:se:cret').toString('base64')
    expect(
      await withConfig(
        { auths: { 'registry:5000': { auth }, 'https://index.docker.io/v1/': { auth } } },
        ['registry:5000/shop/web:1', 'nginx', 'ghcr.io/a/b'],
      ),
    ).toEqual([
      { username: 'me', password: 'se:cret', serveraddress: 'registry:5000' },
      { username: 'me', password: 'se:cret', serveraddress: 'https://index.docker.io/v1/' },
      undefined,
    ])
  })

  test('no file, another file, or a helper that is not there: nobody has logged in', async () => {
    expect((await readRegistryAuth(['nginx'], '/no/such/folder'))('nginx')).toBeUndefined()
    expect(await withConfig({ auths: 7 }, ['nginx'])).toEqual([undefined])
    expect(await withConfig({ credsStore: 'not-installed-anywhere' }, ['nginx'])).toEqual([
      undefined,
    ])
  })
})
