/** Checks the few fields of the engine's answers that everything else relies on. */
import { MusterError } from '../base/index.ts'
import type { Config, EngineEvent, Network, Node, Secret, Service, Swarm, Task } from './types.ts'

type Value = Record<string, unknown>

const isObject = (value: unknown): value is Value => typeof value === 'object' && value !== null

const wrong = (what: string, value: unknown): MusterError =>
  new MusterError(
    'ENGINE_REFUSED',
    `The engine's answer is not ${what}: ${(JSON.stringify(value) ?? 'nothing').slice(0, 200)}`,
  )

const swarmObject = (what: string, value: unknown, needsName: boolean): Value => {
  const whole =
    isObject(value) &&
    typeof value['ID'] === 'string' &&
    isObject(value['Version']) &&
    typeof value['Version']['Index'] === 'number' &&
    isObject(value['Spec']) &&
    (!needsName || typeof value['Spec']['Name'] === 'string')
  if (!whole) throw wrong(what, value)
  return value
}

/**
 * The engine writes `Healthcheck` where its API description, and so our types, say `HealthCheck`
 * (it reads either).
 */
const withHealthCheck = (taskSpec: unknown): void => {
  const container = isObject(taskSpec) ? taskSpec['ContainerSpec'] : undefined
  if (!isObject(container) || !('Healthcheck' in container)) return
  container['HealthCheck'] = container['Healthcheck']
  delete container['Healthcheck']
}

export const asService = (value: unknown): Service => {
  const service = swarmObject('a service', value, true)
  withHealthCheck((service['Spec'] as Value)['TaskTemplate'])
  return service as unknown as Service
}
export const asNode = (value: unknown): Node =>
  swarmObject('a node', value, false) as unknown as Node
export const asConfig = (value: unknown): Config =>
  swarmObject('a config', value, true) as unknown as Config
export const asSecret = (value: unknown): Secret =>
  swarmObject('a secret', value, true) as unknown as Secret
export const asSwarm = (value: unknown): Swarm =>
  swarmObject('a swarm', value, false) as unknown as Swarm

export const asTask = (value: unknown): Task => {
  const task = swarmObject('a task', value, false)
  withHealthCheck(task['Spec'])
  // Tasks that attach a plain container to a network belong to no service.
  return { ServiceID: '', ...task } as unknown as Task
}

export const asNetwork = (value: unknown): Network => {
  if (!isObject(value) || typeof value['Id'] !== 'string' || typeof value['Name'] !== 'string') {
    throw wrong('a network', value)
  }
  return value as unknown as Network
}

/** An object with at least this text field. */
export const withText = <K extends string>(value: unknown, key: K): Value & Record<K, string> => {
  if (!isObject(value) || typeof value[key] !== 'string')
    throw wrong(`an object with ${key}`, value)
  return value as Value & Record<K, string>
}

export const asEvent = (value: unknown): EngineEvent => {
  if (!isObject(value) || typeof value['Type'] !== 'string') throw wrong('an event', value)
  return value
}

/** A list; the engine writes an empty one as null now and then. */
export const listOf = <T>(value: unknown, decode: (item: unknown) => T): T[] => {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw wrong('a list', value)
  return value.map(decode)
}
