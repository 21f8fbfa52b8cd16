import { CorruptMessage } from '../catalog/index.ts'
import type { Service } from '../engine/index.ts'
import { type Dependency, dependenciesOf } from '../leader/index.ts'

/** What a held service waits for, from its label; a label that nobody can read names nothing. */
export const waitsOf = (service: Service): Dependency[] => {
  try {
    return dependenciesOf(service.Spec) ?? []
  } catch (error) {
    if (error instanceof CorruptMessage) return []
    throw error
  }
}
