/** Does what was decided about the members of one cluster. Every step may be repeated. */
import { MusterError } from '../base/index.ts'
import { type HostId, type MemberId, type MemberReport, reportId } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import type { Peer, Recipe } from '../recipes/index.ts'
import type { Action, LeaderVerb } from './facts.ts'
import type { Reading } from './gather.ts'
import {
  createMember,
  hostOfMember,
  isRunning,
  type MemberSource,
  removeMember,
  type ServicesApi,
  setRunning,
  updateMember,
} from './member-services.ts'
import type { MemberSecrets } from './member-spec.ts'

export interface ActionContext {
  engine: ServicesApi
  /** Runs a command in a container of a host; rejects if it did not end in time. */
  run: (
    target: { host: HostId; container: string },
    what: { command: string[]; timeoutMs: number },
  ) => Promise<{ exit: number; stdout: string; stderr: string }>
  reading: Reading
  secrets: MemberSecrets
  /** Credentials for the registry of an image, as the engine takes them. */
  registryAuth: (image: string) => Promise<string | undefined>
  actions: readonly Action[]
}

/** A verb that takes longer has failed. */
const VERB_MS = 30_000

/** One after another. Throws at the first that fails; what comes after it is not done. */
export const perform = async (context: ActionContext): Promise<void> => {
  for (const action of context.actions) await performOne(action, context)
}

const performOne = async (action: Action, context: ActionContext): Promise<void> => {
  const { engine, reading } = context
  const service = serviceOf(reading, action.member)
  switch (action.do) {
    case 'create':
      if (service !== undefined) return
      await createMember(
        engine,
        {
          cluster: reading.ledger.cluster,
          member: action.member,
          host: action.host,
          running: true,
        },
        await sourceOf(context),
      )
      return
    case 'start':
    case 'stop':
      if (service !== undefined) await setRunning(engine, service, action.do === 'start')
      return
    case 'update': {
      if (service === undefined) return
      const host = hostOfMember(service) ?? reading.ledger.members[action.member]?.host
      if (host === undefined) return
      await updateMember(engine, service, {
        place: {
          cluster: reading.ledger.cluster,
          member: action.member,
          host,
          running: isRunning(service),
        },
        source: await sourceOf(context),
      })
      return
    }
    case 'remove':
      if (service !== undefined) await removeMember(engine, service)
      return
    case 'verb':
      await runVerb(action, context)
  }
}

const serviceOf = (reading: Reading, member: MemberId): Service | undefined =>
  reading.services.find((each) => each.Spec.Name === member)

const sourceOf = async ({
  reading,
  secrets,
  registryAuth,
}: ActionContext): Promise<MemberSource> => {
  const { head, recipe } = reading
  if (head === null) {
    throw new MusterError('CONFLICT', 'its head was removed while a member was to be made')
  }
  return {
    head: head.service,
    recipe,
    options: head.head.choice.options,
    secrets,
    registryAuth: await registryAuth(head.service.Spec.TaskTemplate?.ContainerSpec?.Image ?? ''),
  }
}

const runVerb = async (
  action: Extract<Action, { do: 'verb' }>,
  { reading, run }: ActionContext,
): Promise<void> => {
  const inside = reportOf(reading, action.inside)
  if (inside?.container === null || inside === undefined) {
    throw new MusterError('NOT_FOUND', `no container of ${action.inside} runs`)
  }
  const command = commandOf(reading.recipe, action.verb, peerOf(reading, action.member))
  if (command === undefined) return
  const { exit, stderr, stdout } = await run(
    { host: inside.host, container: inside.container },
    { command, timeoutMs: VERB_MS },
  )
  if (exit === 0) return
  const said = (stderr.trim() || stdout.trim()).slice(-500)
  throw new MusterError(
    'ENGINE_REFUSED',
    `${action.verb} of ${action.member} in ${action.inside} ended with ${exit}: ${said}`,
  )
}

const commandOf = (recipe: Recipe, verb: LeaderVerb, peer: Peer): string[] | undefined => {
  const { verbs } = recipe
  switch (verb) {
    case 'writable':
      return verbs.writable?.(true)
    case 'readonly':
      return verbs.writable?.(false)
    case 'add':
    case 'remove':
    case 'settle':
      return verbs[verb]?.(peer)
  }
}

const reportOf = (reading: Reading, member: MemberId): MemberReport | undefined => {
  const host = reading.ledger.members[member]?.host
  return host === undefined
    ? undefined
    : reading.catalog.members.get(reportId({ host, id: member }))
}

const peerOf = (reading: Reading, member: MemberId): Peer => {
  const report = reportOf(reading, member)
  return {
    id: member,
    name: `tasks.${member}`,
    address: Object.values(report?.addresses ?? {})[0] ?? null,
    ready: report?.ready === true,
  }
}
