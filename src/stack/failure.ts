import { LABEL } from '../base/index.ts'
import type { Service, Task } from '../engine/index.ts'
import { healthcheckOf } from './tasks.ts'

/** Why a task ended or was refused. */
export type FailureKind =
  | 'image'
  | 'address'
  | 'port'
  | 'mount'
  | 'file'
  | 'network'
  | 'command'
  | 'unhealthy'
  | 'memory'
  | 'exit'
  | 'refused'

/** What is known from the words of the engine; the first that fits. */
const SIGNS: [FailureKind, RegExp][] = [
  ['unhealthy', /unhealthy container/i],
  [
    'image',
    /no such image|pull access denied|manifest (for .* )?(unknown|not found)|not found: manifest|repository .* not found|failed to resolve reference|failed to pull/i,
  ],
  // In these letters it is about an address of an overlay network; of ports it says "bind: address ...".
  ['address', /Address already in use/],
  ['port', /port is already allocated|address already in use|ports? .* already in use/i],
  [
    'mount',
    /bind source path does not exist|invalid mount config|error while mounting volume|failed to mount|VolumeDriver\.|no such volume|error creating volume/i,
  ],
  [
    'network',
    /no available (ipv?4|ip) address|available IP while allocating|attaching to network failed|network sandbox|subnet .* exhausted|network \S+ not found/i,
  ],
  [
    'file',
    /(secret|config) (reference )?.*(not found|unable to|cannot|failed)|unable to get (secret|config)/i,
  ],
  [
    'command',
    /executable file not found|OCI runtime create failed|exec format error|failed to create (shim|task)|exec: "|starting container failed/i,
  ],
]

/** Why a task failed, read from its status. */
export const failureKind = (task: Task, service: Service): FailureKind => {
  const text = `${task.Status?.Err ?? ''} ${task.Status?.Message ?? ''}`
  const sign = SIGNS.find(([, pattern]) => pattern.test(text))
  if (sign !== undefined) return sign[0]
  const code = exitCode(task)
  // SIGKILL that nobody asked for is nearly always the kernel, out of memory.
  if (code === 137) return 'memory'
  // Stopped for its health, a program that ends as it should leaves no other trace than this.
  if (code === 0 && hasCheck(service)) return 'unhealthy'
  return code === undefined ? 'refused' : 'exit'
}

/** The service says how its health is checked. */
export const hasCheck = (service: Service): boolean => {
  const test = healthcheckOf(service.Spec.TaskTemplate)?.Test ?? []
  return test.length > 0 && test[0] !== 'NONE'
}

/** The exit status of the container, if it got that far. */
export const exitCode = (task: Task): number | undefined => {
  const match = /non-zero exit \((\d+)\)/.exec(task.Status?.Err ?? '')
  if (match !== null) return Number(match[1])
  if (task.Status?.State === 'complete') return 0
  const code = task.Status?.ContainerStatus?.ExitCode
  return code === undefined || code === 0 || code === -1 ? undefined : code
}

/** What a failure of this kind means and what to do, for a task on a host. */
export const explainFailure = (
  kind: FailureKind,
  task: Task,
  about: { name: string; host: string; service: Service; failures: number },
): { sentence: string; advice: string } => {
  const { name, host, service } = about
  const err = (task.Status?.Err ?? task.Status?.Message ?? '').replace(/^"|"$/g, '')
  const times = about.failures > 1 ? `, ${about.failures} times` : ''
  switch (kind) {
    case 'image':
      return {
        sentence: `${name} cannot start on ${host}: there is no image ${plainImage(task, service)}.`,
        advice: `Check the name and the tag, push it, or log in to its registry (docker login) and run muster up again. The engine says: ${err}`,
      }
    case 'address':
      return {
        sentence: `${name} cannot start on ${host}: the engine there takes the address that Swarm gave it for taken${times}.`,
        advice: `It is tried again with others. If that goes on, restart the engine of ${host}. It says: ${err}`,
      }
    case 'port':
      return {
        sentence: `${name} cannot start on ${host}: a port it publishes is taken there.`,
        advice: `Publish another port, or stop what holds it on ${host}. The engine says: ${err}`,
      }
    case 'mount': {
      const path = /bind source path does not exist: (\S+)/.exec(err)?.[1]
      return path === undefined
        ? {
            sentence: `${name} cannot start on ${host}: a volume cannot be mounted.`,
            advice: `The engine says: ${err}`,
          }
        : {
            sentence: `${name} cannot start on ${host}: the folder ${path} does not exist there.`,
            advice: 'Make it on every host that may run the service, or use a named volume.',
          }
    }
    case 'network':
      return {
        sentence: `${name} cannot start on ${host}: it gets no address in one of its networks.`,
        advice: `Give the network a larger subnet (ipam). The engine says: ${err}`,
      }
    case 'file':
      return {
        sentence: `${name} cannot start on ${host}: a config or secret of it is missing.`,
        advice: `Run muster up again. The engine says: ${err}`,
      }
    case 'command':
      return {
        sentence: `${name} cannot start on ${host}: its command cannot be run.`,
        advice: `Check command, entrypoint, user and working_dir. The engine says: ${err}`,
      }
    case 'unhealthy':
      return {
        sentence: `${name} on ${host} never became healthy${times}: its health check failed${checkText(service)}.`,
        advice: `Look at its output: muster logs ${name}`,
      }
    case 'memory':
      if (hasStartHooks(service)) {
        return {
          sentence: `${name} on ${host} was killed (status 137)${times}: one of its post_start commands failed, or it ran out of memory.`,
          advice: `Its output says which: muster logs ${name}`,
        }
      }
      return {
        sentence: `${name} on ${host} was killed (status 137)${times}, most likely for lack of memory.`,
        advice: memoryAdvice(service),
      }
    case 'exit': {
      const code = exitCode(task) ?? 0
      return {
        sentence: `${name} on ${host} exits with status ${code}${times}.`,
        advice:
          code === 0
            ? 'A service is meant to go on running. If it is done when it ends, give it deploy.mode: replicated-job.'
            : `Look at its output: muster logs ${name}`,
      }
    }
    case 'refused':
      return {
        sentence: `${name} cannot start on ${host}: ${err || 'no reason given'}.`,
        advice: '',
      }
  }
}

const hasStartHooks = (service: Service): boolean =>
  service.Spec.TaskTemplate?.ContainerSpec?.Labels?.[LABEL.postStart] !== undefined

const plainImage = (task: Task, service: Service): string =>
  (
    task.Spec?.ContainerSpec?.Image ??
    service.Spec.TaskTemplate?.ContainerSpec?.Image ??
    ''
  ).replace(/@sha256:[0-9a-f]+$/, '')

const checkText = (service: Service): string => {
  const test = healthcheckOf(service.Spec.TaskTemplate)?.Test?.slice(1).join(' ')
  return test ? ` (${test})` : ''
}

const memoryAdvice = (service: Service): string => {
  const limit = service.Spec.TaskTemplate?.Resources?.Limits?.MemoryBytes
  return limit
    ? `Raise deploy.resources.limits.memory (${Math.round(limit / 2 ** 20)} MiB now).`
    : 'Look at the memory of the host, or at its output.'
}
