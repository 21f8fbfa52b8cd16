import * as fc from 'fast-check'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { toPlain } from './node.ts'
import { parseYaml } from './parse.ts'
import { Problems } from './problems.ts'
import { sourceFile } from './source.ts'
import { yamlText } from './yaml-text.ts'

const readBack = (text: string): unknown => {
  const problems = new Problems()
  const [node] = parseYaml(sourceFile('x', '/x', text), problems)
  if (!node || problems.errors.length > 0)
    throw new Error(`${problems.errors[0]?.message}: ${text}`)
  return toPlain(node)
}

const leaf = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom(...'ab: #-\'"\n\t|>&*!%@`{}[],?yesno01_.~'.split('')) }),
  fc.constantFrom(
    'yes',
    'on',
    'null',
    '~',
    '0440',
    '1e3',
    '22:22',
    '2024-01-01',
    '',
    '- a',
    'a: b',
  ),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)
const tree = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('map'), tie('list')),
  map: fc.dictionary(
    fc
      .oneof(fc.string(), fc.constantFrom('a', '<<', 'y', '1', ''))
      .filter((key) => key !== '__proto__'),
    tie('value'),
    { maxKeys: 4 },
  ),
  list: fc.array(tie('value'), { maxLength: 4 }),
}))

test('what is printed reads as the same data, here and with a YAML 1.1 and 1.2 reader', () => {
  fc.assert(
    fc.property(tree.map, (data) => {
      const text = yamlText({ data })
      expect(readBack(text)).toEqual({ data })
      for (const version of ['1.1', '1.2'] as const)
        expect(parse(text, { version, merge: false })).toEqual({ data })
    }),
    { numRuns: 200 },
  )
})

test('looks as people write it', () => {
  const data = {
    a: ['x', { b: 1, c: [] }, ['z']],
    'k: ': 'yes',
    t: 'one\ntwo\n',
    e: {},
    p: '80:80',
  }
  expect(yamlText(data)).toBe(`a:
  - x
  - b: 1
    c: []
  - - z
"k: ": "yes"
t: |
  one
  two
e: {}
p: "80:80"
`)
})
