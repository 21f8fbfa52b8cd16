import { LABEL } from '../base/index.ts'
import type { Service } from '../engine/index.ts'
import { type Current, ownedBy, ownServices } from './current.ts'
import type { DesiredService, DesiredStack, SettledService, SettledStack } from './desired.ts'
import { digestOf, parseImage, withoutDigest } from './image.ts'
import { type PortConflict, settlePorts } from './published.ts'

/** What the registry said about an image: its digest, or why there is none. */
export type ImageAnswer = { digest: string } | { error: string }

export interface SettleResult {
  settled: SettledStack
  conflicts: PortConflict[]
  /** What the user should know and that stops nothing. */
  notes: string[]
}

/** The images whose digest the registry has to be asked for. */
export const imagesToPin = (desired: DesiredStack): string[] => [
  ...new Set(
    desired.services
      .filter((each) => each.pin && digestOf(imageIn(each)) === undefined)
      .map((each) => imageIn(each)),
  ),
]

const imageIn = (service: DesiredService): string =>
  service.spec.TaskTemplate.ContainerSpec.Image ?? ''

/** Answers the open questions of a desired stack: digests of images and unnamed ports. Pure. */
export const settle = (
  desired: DesiredStack,
  current: Current,
  answers: ReadonlyMap<string, ImageAnswer>,
): SettleResult => {
  const existing = new Map(ownServices(current).map((each) => [each.Spec.Name, each]))
  const others = current.services.filter((each) => !ownedBy(desired.name, each.Spec.Labels))
  const { ports, conflicts } = settlePorts(desired.services, others, existing)
  const notes = new Set(desired.notes)
  const services = desired.services.map((service): SettledService => {
    const running = existing.get(service.name)
    const answer = answers.get(imageIn(service))
    const image = pinned(service, { running, answer, notes })
    const published = ports.get(service.name) ?? []
    return {
      key: service.key,
      name: service.name,
      after: service.after,
      restartWith: service.restartWith,
      spec: {
        ...service.spec,
        Labels: {
          ...service.spec.Labels,
          ...(published.length > 0 ? { [LABEL.ports]: JSON.stringify(published) } : {}),
          ...(service.http.length > 0 ? { [LABEL.http]: JSON.stringify(service.http) } : {}),
        },
        TaskTemplate: {
          ...service.spec.TaskTemplate,
          ContainerSpec: { ...service.spec.TaskTemplate.ContainerSpec, Image: image },
        },
      },
    }
  })
  const { networks, files, name } = desired
  return { settled: { name, networks, files, services }, conflicts, notes: [...notes] }
}

/**
 * The image with the digest that the registry has for its tag now, so that every host runs the
 * same. Without an answer a running service keeps the digest it has.
 */
const pinned = (
  service: DesiredService,
  known: { running: Service | undefined; answer: ImageAnswer | undefined; notes: Set<string> },
): string => {
  const image = imageIn(service)
  if (!service.pin || digestOf(image) !== undefined) return image
  const { answer } = known
  if (answer !== undefined && 'digest' in answer) return `${image}@${answer.digest}`
  const running = known.running?.Spec.TaskTemplate?.ContainerSpec?.Image ?? ''
  const kept = withoutDigest(running) === image && digestOf(running) !== undefined
  known.notes.add(
    `image ${image}: ${answer?.error ?? `the registry ${parseImage(image)?.registry ?? ''} was not asked`}; ${
      kept
        ? 'the running version is kept'
        : 'it is not pinned to a digest, each host takes what it has'
    }.`,
  )
  return kept ? running : image
}
