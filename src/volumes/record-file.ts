/** `volume.json`: a record as text. */
import { z } from 'zod'
import { type VolumeRecord, VOLUME_TYPES } from './record.ts'

const count = z.int().min(0)

const schema = z.object({
  name: z.string(),
  uid: z.string().min(8),
  type: z.enum(VOLUME_TYPES),
  stack: z.string().nullable(),
  perSlot: z.boolean(),
  member: z.object({ id: z.string(), cluster: z.string() }).nullable(),
  created: count,
  lastUse: count.nullable(),
  marker: z.object({
    epoch: count,
    founded: count,
    joined: z.string().nullable(),
    claim: z
      .object({
        ledger: z.string(),
        epoch: count,
        kind: z.enum(['form', 'first', 'join', 'rejoin']),
      })
      .nullable(),
    passed: z.string().nullable().default(null),
    clean: z.boolean(),
    restored: count.nullable().default(null),
    recipe: z.string().nullable(),
    image: z.string().nullable(),
  }),
})

/** Throws when it is no record. */
export const parseRecord = (text: string): VolumeRecord => schema.parse(JSON.parse(text))

export const recordText = (record: VolumeRecord): string => `${JSON.stringify(record, null, 2)}\n`
