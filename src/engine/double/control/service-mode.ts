import type { ServiceSpec } from '../../types.ts'

export type ServiceMode =
  | { kind: 'replicated'; replicas: number }
  | { kind: 'global' }
  | { kind: 'replicated-job'; completions: number; concurrent: number }
  | { kind: 'global-job' }

/** How a service wants to run; a replicated one with one replica unless it says otherwise. */
export const modeOf = ({ Mode }: ServiceSpec): ServiceMode => {
  if (Mode?.Global !== undefined) return { kind: 'global' }
  if (Mode?.GlobalJob !== undefined) return { kind: 'global-job' }
  if (Mode?.ReplicatedJob !== undefined) {
    const concurrent = Mode.ReplicatedJob.MaxConcurrent ?? 1
    const completions = Mode.ReplicatedJob.TotalCompletions ?? concurrent
    return { kind: 'replicated-job', completions, concurrent }
  }
  return { kind: 'replicated', replicas: Mode?.Replicated?.Replicas ?? 1 }
}

/** Jobs run to completion. */
export const isJob = (spec: ServiceSpec): boolean => modeOf(spec).kind.endsWith('job')
