import specification from './schema/compose-spec.json' with { type: 'json' }
import { SchemaValidator, type Schema } from './schema.ts'

const base = specification as Schema
const service = base.definitions?.['service'] ?? {}
const hook = base.definitions?.['service_hook'] ?? {}

/** The specification's schema, with `pre_start`, which is newer than the published file. */
export const composeSchema: Schema = {
  ...base,
  definitions: {
    ...base.definitions,
    service: {
      ...service,
      properties: {
        ...service.properties,
        pre_start: { type: 'array', items: { $ref: '#/definitions/pre_start_hook' } },
      },
    },
    pre_start_hook: {
      ...hook,
      required: [],
      properties: {
        ...hook.properties,
        image: { type: 'string' },
        per_replica: { type: ['boolean', 'string'] },
      },
    },
  },
}

export const composeValidator = new SchemaValidator(composeSchema)
