/** Who has a volume, in the words of the engine's list. The list answers while a mount blocks. */
import type { ContainerSummary, Engine } from '../../engine/index.ts'

/** Label that Swarm gives the containers of a service. */
export const SERVICE_NAME = 'com.docker.swarm.service.name'

export interface Occupant {
  container: string
  running: boolean
  /** It was made, and not started yet. */
  created: boolean
  /** Swarm service that it belongs to. */
  service: string | null
  image: string | null
}

/** Containers that have the volume, in any state. */
export const occupantsOf = async (
  engine: Pick<Engine, 'listContainers'>,
  volume: string,
): Promise<Occupant[]> => {
  const list = await engine.listContainers({ all: true, filters: { volume: [volume] } })
  return list.map(occupantOf)
}

export const occupantOf = ({ Id, State, Labels, ImageID }: ContainerSummary): Occupant => ({
  container: Id ?? '',
  running: State === 'running' || State === 'paused' || State === 'restarting',
  created: State === 'created',
  service: Labels?.[SERVICE_NAME] ?? null,
  image: ImageID ?? null,
})
