/**
 * What kind of value each key of the specification has. One table (shapes.ts) drives three things:
 * which texts are turned into numbers and booleans after interpolation, how nodes become the typed
 * model, and how the model is printed.
 */
export type Shape =
  | { is: ScalarKind }
  | { is: 'list'; of: Shape }
  | { is: 'map'; of: Shape; nulls?: 'keep' }
  | { is: 'object'; fields: Record<string, Field> }
  /** A scalar or a map, told apart by what is there. */
  | { is: 'either'; scalar: Shape; map: Shape }

export type ScalarKind =
  | 'text'
  | 'flag'
  | 'integer'
  | 'number'
  | 'bytes'
  | 'duration'
  | 'mode'
  /** A number, or `all` for -1. */
  | 'count'
  /** Any plain data. */
  | 'any'

export interface Field {
  shape: Shape
  /** Zero, false, empty text or list is not the same as absent. */
  keep?: boolean
  /** An object without it is nothing. */
  required?: boolean
  /** The reference prints it in JSON even where it is absent: null, or an empty object. */
  always?: null | 'object'
  /** Its name in the reference's JSON, where that is not the specification's. */
  json?: string
}

export const text: Shape = { is: 'text' }
export const flag: Shape = { is: 'flag' }
export const integer: Shape = { is: 'integer' }
export const number: Shape = { is: 'number' }
export const bytes: Shape = { is: 'bytes' }
export const duration: Shape = { is: 'duration' }
export const listOf = (of: Shape): Shape => ({ is: 'list', of })
export const mapOf = (of: Shape): Shape => ({ is: 'map', of })
export const texts = listOf(text)
export const textMap = mapOf(text)
/** A map in which a key without a value means something of its own. */
export const textMapWithNulls: Shape = { is: 'map', of: text, nulls: 'keep' }

/** An object; a field is its shape, or a shape with more to say. */
export const object = (fields: Record<string, Shape | Field>): Shape => ({
  is: 'object',
  fields: Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [
      key,
      'shape' in field ? field : { shape: field },
    ]),
  ),
})

export const keep = (shape: Shape): Field => ({ shape, keep: true })

export const required = (shape: Shape): Field => ({ shape, keep: true, required: true })

/** The shape of a key below a shape. */
export const below = (shape: Shape | undefined, key: string | number): Shape | undefined => {
  if (shape?.is === 'list') return typeof key === 'number' ? shape.of : undefined
  if (shape?.is === 'map') return shape.of
  if (shape?.is === 'object')
    return Object.hasOwn(shape.fields, key) ? shape.fields[key]?.shape : undefined
  return shape?.is === 'either' ? below(shape.map, key) : undefined
}
