import type { PreStartHook, Service, Stack } from '../compose/index.ts'

/**
 * The stack with the `pre_start` steps of its services as jobs of their own, `SERVICE-pre-start-N`:
 * each runs to completion after the one before it and after what the service depends on, and the
 * service waits for the last. A step has the image, environment, networks and mounts of its service.
 */
export const withPreStartJobs = (stack: Stack): Stack => {
  const services: Record<string, Service> = {}
  for (const [key, service] of Object.entries(stack.services)) {
    const { pre_start, ...rest } = service
    // One without containers of its own is refused, and has no networks for those of a step.
    const steps = service.provider === undefined ? (pre_start ?? []) : []
    let { depends_on } = service
    for (const [i, step] of steps.entries()) {
      const name = freeName(`${key}-pre-start-${i + 1}`, stack.services)
      services[name] = {
        ...jobOf(service, step),
        ...(depends_on === undefined ? {} : { depends_on }),
      }
      depends_on = { [name]: { condition: 'service_completed_successfully', required: true } }
    }
    services[key] =
      steps.length === 0
        ? service
        : { ...rest, depends_on: { ...service.depends_on, ...depends_on } }
  }
  return { ...stack, locate: (path) => stack.locate(path), services }
}

const freeName = (name: string, taken: Stack['services']): string =>
  taken[name] === undefined ? name : freeName(`${name}-x`, taken)

const jobOf = (service: Service, step: PreStartHook): Service => {
  const { image = service.image, command } = step
  const user = step.user ?? service.user
  const workingDir = step.working_dir ?? service.working_dir
  return {
    ...(image === undefined ? {} : { image }),
    ...(command === undefined ? {} : { command }),
    environment: { ...service.environment, ...step.environment },
    ...pick(service, ['networks', 'network_mode', 'volumes', 'configs', 'secrets', 'extra_hosts']),
    ...pick(service, ['dns', 'dns_search', 'dns_opt', 'logging', 'platform']),
    ...(user === undefined ? {} : { user }),
    ...(workingDir === undefined ? {} : { working_dir: workingDir }),
    ...placementOf(service),
  }
}

/** Where the service may run, so that both find the same files. */
const placementOf = ({ deploy }: Service): Pick<Service, 'deploy'> => {
  const constraints = deploy?.placement?.constraints
  return constraints === undefined ? {} : { deploy: { placement: { constraints } } }
}

const pick = <K extends keyof Service>(service: Service, keys: readonly K[]): Pick<Service, K> =>
  Object.fromEntries(
    keys.filter((key) => service[key] !== undefined).map((key) => [key, service[key]]),
  ) as Pick<Service, K>
