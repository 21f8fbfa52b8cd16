import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { composeSchema, composeValidator } from './compose-schema.ts'
import { toPlain, type Node } from './node.ts'
import { parseYaml } from './parse.ts'
import { Problems } from './problems.ts'
import type { Schema } from './schema.ts'
import { sourceFile } from './source.ts'
import { yamlText } from './yaml-text.ts'

const nodeOf = (data: unknown): Node => {
  const [node] = parseYaml(sourceFile('x', '/x', yamlText(data)), new Problems())
  if (!node) throw new Error('nothing parsed')
  return node
}

const ajv = new Ajv({ strict: false })
const { $schema: _, $id: __, ...plainSchema } = composeSchema as Record<string, unknown>
const validate = ajv.compile(plainSchema)

/** Data that fits a schema, except that here and there something is put that fits nothing. */
const near = (given: Schema, depth: number): fc.Arbitrary<unknown> => {
  const schema = given.$ref
    ? (composeSchema.definitions?.[given.$ref.slice('#/definitions/'.length)] ?? {})
    : given
  const odd = fc.constantFrom<unknown>(null, 1, -1, 1.5, 'text', true, [], {}, [1], { a: 1 }, '')
  if (depth <= 0) return odd
  if (schema.oneOf) return fc.oneof(...schema.oneOf.map((branch) => near(branch, depth)))
  const types = schema.type === undefined ? ['string'] : [schema.type].flat()
  const fitting = types.map((type): fc.Arbitrary<unknown> => {
    if (type === 'object') {
      const properties = Object.entries(schema.properties ?? {})
      const chosen = fc.subarray(properties, { maxLength: Math.min(3, properties.length) })
      const extra = Object.values(schema.patternProperties ?? {})[0]
      const record = chosen.chain((entries) =>
        fc.record(Object.fromEntries(entries.map(([key, sub]) => [key, near(sub, depth - 1)]))),
      )
      const more = fc.dictionary(
        fc.constantFrom('abc', 'x-y', 'A b', 'Z9'),
        extra ? near(extra, depth - 1) : odd,
        { maxKeys: 1 },
      )
      return fc.tuple(record, more).map(([a, b]) => ({ ...a, ...b }))
    }
    if (type === 'array')
      return fc.array(schema.items ? near(schema.items, depth - 1) : odd, { maxLength: 3 })
    if (type === 'integer') return fc.integer({ min: -2, max: 2000 })
    if (type === 'number') return fc.constantFrom(0, 1, 2.5, -1)
    if (type === 'boolean') return fc.boolean()
    if (type === 'null') return fc.constant(null)
    return fc.constantFrom('abc', 'always', 'a', ...(schema.enum ?? []))
  })
  return fc.oneof({ arbitrary: fc.oneof(...fitting), weight: 12 }, { arbitrary: odd, weight: 1 })
}

test('accepts and refuses the same as a general JSON Schema validator', () => {
  const seen = { yes: 0, no: 0 }
  fc.assert(
    fc.property(near(composeSchema, 6), (data) => {
      const node = nodeOf(data)
      // The data as the tree has it: a general validator must be asked about the same.
      const expected = validate(toPlain(node))
      seen[expected ? 'yes' : 'no'] += 1
      expect(composeValidator.accepts(node)).toBe(expected)
    }),
    { numRuns: 400 },
  )
  expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(20)
})

describe('what it says', () => {
  const said = (data: unknown): string[] => {
    const problems = new Problems()
    composeValidator.check(nodeOf(data), 'whole', problems)
    return problems.errors.map(
      ({ path, message, hint }) => `${path}: ${message}${hint ? ` ${hint}` : ''}`,
    )
  }

  test('one error for a wrong item of several forms, about the form that was meant', () => {
    const ports = [{ target: 80, publishd: 1 }, '80:80', [1]]
    expect(said({ services: { web: { image: 'x', ports } } })).toEqual([
      'services.web.ports[0]: unknown key "publishd" Did you mean "published"?',
      'services.web.ports[2]: expected a number, text or a map, got a list',
    ])
  })

  test('names and kinds', () => {
    expect(said({ services: { 'a b': {} }, networks: [], name: 1 })).toEqual(
      [
        'name: expected text, got 1 Write it in quotes: "1".',
        'services: the name "a b" does not look like a name (letters, digits, ".", "_" and "-")',
        'networks: expected a map, got an empty list',
      ].toSorted((a, b) => ORDER(a) - ORDER(b)),
    )
  })

  test('a version 1 file is told where services go', () => {
    expect(said({ web: { image: 'x' } })).toEqual([
      ': unknown key "web" Services go under "services:" (this looks like a version 1 file).',
    ])
  })
})

const ORDER = (text: string): number =>
  ['services', 'networks', 'name'].findIndex((k) => text.startsWith(k))
