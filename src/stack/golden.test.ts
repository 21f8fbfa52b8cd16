/**
 * Stack files of other projects, and what `docker stack deploy` posts for them (recorded from
 * docker CLI 28.2.2 at a recording engine). Each names where it is from and its licence.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadStack } from '../compose/index.ts'
import { canonicalSpec } from './canonical.ts'
import type { DesiredStack } from './desired.ts'
import { readFileContents } from './files.ts'
import golden from './golden/docker-stack-deploy.json' with { type: 'json' }
import { toDesired } from './specs.ts'

interface Call {
  kind: string
  body: Record<string, unknown> & { Name: string }
}

const NO_NAMES = { networks: new Map<string, string>() }

const desiredOf = async (fixture: {
  compose: string
  files: Record<string, string | undefined>
}): Promise<{ desired: DesiredStack; folder: string }> => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-golden-'))
  try {
    for (const [name, text] of Object.entries({
      ...fixture.files,
      'compose.yaml': fixture.compose,
    })) {
      await mkdir(dirname(join(folder, name)), { recursive: true })
      await writeFile(join(folder, name), text ?? '')
    }
    const loaded = await loadStack({
      files: [join(folder, 'compose.yaml')],
      projectName: 'proj',
      env: {},
      cwd: folder,
    })
    if (loaded.errors) throw new Error(JSON.stringify(loaded.errors))
    const { contents } = await readFileContents(loaded.stack)
    const result = toDesired(loaded.stack, {
      api: '1.41',
      restartDelayMs: 1000,
      contents,
      // What docker stack deploy leaves out with a warning.
      tolerate: ['container_name', 'ports.host_ip'],
    })
    if (!('desired' in result)) throw new Error(JSON.stringify(result.problems))
    return { desired: result.desired, folder }
  } finally {
    await rm(folder, { recursive: true })
  }
}

type Loose = Record<string, unknown>

/** Without what Muster does otherwise on purpose: everything below, and nothing else. */
const comparable = (canonical: Loose, dockers: Loose): Loose => {
  const spec = structuredClone(canonical)
  const task = spec.TaskTemplate as Loose
  const container = task.ContainerSpec as Loose
  // Muster always says how updates go; Docker leaves that to Swarm where the file says nothing.
  delete spec.UpdateConfig
  delete spec.RollbackConfig
  // The restart delay is the cluster's where the file says nothing.
  const restart = { ...(task.RestartPolicy as Loose | undefined) }
  const dockersTask = dockers.TaskTemplate as Loose
  if ((dockersTask.RestartPolicy as Loose | undefined)?.Delay === undefined) delete restart.Delay
  if (Object.keys(restart).length > 0) task.RestartPolicy = restart
  else delete task.RestartPolicy
  // TCP ports of mode ingress are the edges'.
  const endpoint = { ...(spec.EndpointSpec as Loose | undefined) }
  const ports = ((endpoint.Ports ?? []) as Loose[]).filter(
    (each) => each.Protocol || each.PublishMode,
  )
  delete endpoint.Ports
  if (ports.length > 0) endpoint.Ports = ports
  if (Object.keys(endpoint).length > 0) spec.EndpointSpec = endpoint
  else delete spec.EndpointSpec
  // Configs and secrets are named after their content.
  for (const file of [container.Configs, container.Secrets].flat() as (Loose | undefined)[]) {
    for (const key of ['ConfigName', 'SecretName']) {
      if (typeof file?.[key] === 'string') file[key] = file[key].replace(/_[0-9a-f]{12}$/, '')
    }
  }
  // The same folder, with and without a slash at its end.
  for (const mount of (container.Mounts ?? []) as Loose[]) {
    mount.Target = String(mount.Target).replace(/(?<=.)\/$/, '')
  }
  // A tolerated container name is one more name on the networks.
  for (const network of (task.Networks ?? []) as Loose[]) {
    network.Aliases = (network.Aliases as string[]).slice(-1)
  }
  return spec
}

describe('what docker stack deploy takes becomes the same services', () => {
  test.each(golden.map((each) => [each.from, each] as const))('%s', async (_, fixture) => {
    const { desired, folder } = await desiredOf(fixture)
    const calls = JSON.parse(JSON.stringify(fixture.calls).replaceAll('${DIR}', folder)) as Call[]
    const posted = calls.filter((each) => each.kind === 'services').map((each) => each.body)

    expect(desired.services.map((each) => each.name).sort()).toEqual(
      posted.map((each) => each.Name).sort(),
    )
    for (const body of posted) {
      const mine = desired.services.find((each) => each.name === body.Name)
      if (mine === undefined) continue
      const theirs = canonicalSpec(body, NO_NAMES)
      const ours = canonicalSpec(mine.spec, NO_NAMES)
      expect(comparable(ours, theirs)).toEqual(comparable(theirs, theirs))
      const edge = (((body.EndpointSpec as Loose | undefined)?.Ports ?? []) as Loose[]).filter(
        (each) => each.Protocol === 'tcp' && each.PublishMode === 'ingress',
      )
      expect(mine.ports.map((each) => [each.published, each.target])).toEqual(
        edge.map((each) => [each.PublishedPort, each.TargetPort]),
      )
    }
  })

  test.each(golden.map((each) => [each.from, each] as const))(
    '%s: the rest',
    async (_, fixture) => {
      const { desired } = await desiredOf(fixture)
      const bodies = (kind: string) =>
        (fixture.calls as unknown as Call[])
          .filter((each) => each.kind === kind)
          .map((each) => each.body)

      const own = desired.networks.filter((each) => !each.external)
      expect(own.map((each) => each.name).sort()).toEqual(
        bodies('networks')
          .map((each) => each.Name)
          .sort(),
      )
      for (const network of own) {
        const body = bodies('networks').find((each) => each.Name === network.name)
        expect(network.request.Attachable).toBe(true)
        expect(network.request.Driver).toBe('overlay')
        expect(network.request.Internal ?? false).toBe(body?.Internal)
        expect(network.request.Labels).toEqual(body?.Labels)
      }
      for (const [kind, group] of [
        ['config', 'configs'],
        ['secret', 'secrets'],
      ] as const) {
        const files = desired.files.filter((each) => each.kind === kind && !each.external)
        expect(
          files.map((each) => `${each.name.replace(/_[0-9a-f]{12}$/, '')} ${each.data}`).sort(),
        ).toEqual(
          bodies(group)
            .map((each) => `${each.Name} ${String(each.Data)}`)
            .sort(),
        )
      }
    },
  )
})
