import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toPlain } from './node.ts'
import { parseYaml } from './parse.ts'
import { Problems } from './problems.ts'
import { sourceFile } from './source.ts'
import { brief } from './test-project.ts'

const read = (text: string): { data: unknown[]; errors: string[] } => {
  const problems = new Problems()
  const nodes = parseYaml(sourceFile('f.yml', '/f.yml', text), problems)
  return { data: nodes.map(toPlain), errors: brief(problems.errors) }
}

describe('parseYaml', () => {
  test('anchors, aliases and merge keys, also with several maps', () => {
    const text = `
x: &x {a: 1, b: 2}
y: &y {b: 3, c: 4}
one: {<<: *x, a: 9}
two:
  <<: [*x, *y]
  d: 5
list: &l [*x]
three: {<<: *l}
quoted: {"<<": 1}
`
    expect(read(text).data).toEqual([
      {
        x: { a: 1, b: 2 },
        y: { b: 3, c: 4 },
        one: { a: 9, b: 2 },
        two: { a: 1, b: 2, c: 4, d: 5 },
        list: [{ a: 1, b: 2 }],
        three: { a: 1, b: 2 },
        quoted: { '<<': 1 },
      },
    ])
  })

  test('an alias means the last anchor of its name before it', () => {
    expect(read('a: &x 1\nb: *x\nc: &x 2\nd: *x').data).toEqual([{ a: 1, b: 1, c: 2, d: 2 }])
  })

  test('several documents, and none for what is only a comment', () => {
    expect(read('# c\n---\na: 1\n---\nb: 2\n').data.filter(Boolean)).toEqual([{ a: 1 }, { b: 2 }])
  })

  test('keys stay text where YAML 1.1 has booleans and numbers', () => {
    expect(read('y: 1\non: 2\n"5": 3').data).toEqual([{ y: 1, on: 2, '5': 3 }])
  })

  test.each([
    ['a: 1\na: 2', '2:1 a: the key "a" is there twice (first in line 1)'],
    ['a:\n  5: x', '2:3 a: the key 5 is not text'],
    [
      'a: [1, 2\nb: 3',
      '2:1 not YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    ['a: "x\nb: y\n', '1:4 a quote is opened here and never closed'],
    ['a:\n\tb: 1', '2:1 a tab: YAML is indented with spaces only'],
    ['a: *x', '1:4 a: there is no anchor &x above'],
    ['a: &x\n  b: *x', '2:6 a.b: a cycle: *x is inside of &x'],
    ['a: &x\n  b: {<<: *x}', '2:11 a.b.<<: a cycle: *x is inside of &x'],
    ['<<: 5', '1:5 <<: expected a map to merge, got 5'],
    ['a: !!int x', '1:10 a: "x" is not a number'],
  ])('%j', (text, error) => {
    expect(read(text).errors).toEqual([error])
  })

  test('an alias bomb is refused', () => {
    const lines = ['a0: &a0 {k: v}']
    for (let i = 1; i < 12; i += 1) lines.push(`a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`)
    const { errors } = read(lines.join('\n'))
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain('alias bomb')
  })

  test.each(['[', '{a: ', '- ', 'a:\n '])(
    '%j ten thousand times is refused, not a crash',
    (part) => {
      const text = part === 'a:\n ' ? deepBlock(3000) : part.repeat(10_000)
      expect(read(text).errors).toHaveLength(1)
    },
  )

  test('any text is read or refused, never thrown at', () => {
    const unit = fc.constantFrom(...'ab:-[]{},&*!|>"\'#%@`\n\t ?<~.0\u0000é'.split(''))
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => void read(text)),
      {
        numRuns: 2000,
      },
    )
  })
})

const deepBlock = (depth: number): string =>
  Array.from({ length: depth }, (_, i) => `${' '.repeat(i)}a:`).join('\n')
