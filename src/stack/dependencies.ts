import { z } from 'zod'
import type { Dependency } from './desired.ts'

const schema = z.array(
  z.object({
    service: z.string(),
    condition: z.enum(['service_started', 'service_healthy', 'service_completed_successfully']),
    required: z.boolean(),
  }),
)

/** What a held service waits for, from its label; an unreadable label names nothing. */
export const parseDependencies = (label: string | undefined): Dependency[] => {
  if (label === undefined) return []
  try {
    return schema.safeParse(JSON.parse(label)).data ?? []
  } catch {
    return []
  }
}
