import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { substitute, variablesIn } from './template.ts'

const values: Record<string, string> = { SET: 'value', EMPTY: '', JSON: '{"a":{}}' }
const read = (template: string) => substitute(template, (name) => values[name])

describe('substitute', () => {
  test.each([
    ['$SET-x', 'value-x'],
    ['${SET}', 'value'],
    ['a $ b $} $1 $(date) ^x$', 'a $ b $} $1 $(date) ^x$'],
    ['$$SET $${SET}', '$SET ${SET}'],
    ['${UNSET:-d} ${UNSET-d} ${EMPTY:-d} ${EMPTY-d}', 'd d d '],
    ['${SET:+r} ${SET+r} ${EMPTY:+r} ${EMPTY+r} ${UNSET:+r}', 'r r  r '],
    ['${SET:?e} ${SET?e} ${EMPTY?e}', 'value value '],
    ['${UNSET:-${UNSET:-${SET}}}', 'value'],
    ['${UNSET-$SET ${SET}}', 'value value'],
    ['${UNSET-{"json":1}}', '{"json":1}'],
    ['${JSON-x}', '{"a":{}}'],
    ['${UNSET-myerror?msg:-x}', 'myerror?msg:-x'],
    ['${UNSET:-$$x}', '$x'],
  ])('%s', (template, text) => {
    expect(read(template)).toMatchObject({ text, failures: [] })
  })

  test('a required variable that is not set is named, with its message', () => {
    expect(read('a ${UNSET:?set $SET please}').failures).toEqual([
      { kind: 'missing', at: 2, variable: 'UNSET', message: 'set value please' },
    ])
  })

  test('what is wrong inside of a default is found at its own place', () => {
    expect(read('${UNSET:-x ${UNSET2:?}}').failures).toMatchObject([{ at: 11, variable: 'UNSET2' }])
  })

  test.each(['${', '${}', '${ SET}', '${SET }', '${SET!}', '${SET:}', '${1}'])(
    '%s is refused',
    (template) => {
      expect(read(template).failures).toMatchObject([{ kind: 'syntax', at: 0 }])
    },
  )

  test('variables without value and default are told', () => {
    expect(read('$A ${B} ${C:-}').unset).toEqual(['A', 'B'])
  })

  test('never throws, and text without a dollar sign stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'${}:-?+A$ a'.split('')) }), (template) => {
        const { text } = read(template)
        if (!template.includes('$')) expect(text).toBe(template)
      }),
    )
  })

  test('a very deep default is an error, not a crash', () => {
    const deep = '${A:-'.repeat(10_000) + '}'.repeat(10_000)
    expect(read(deep).failures).toHaveLength(1)
  })

  test('doubling every dollar sign makes any text literal', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(read(text.replaceAll('$', '$$$$')).text).toBe(text)
      }),
    )
  })
})

test('variablesIn finds nested ones too', () => {
  expect(variablesIn('$A ${B:-${C:?x}} $$D').map(({ name, operator }) => [name, operator])).toEqual(
    [
      ['A', undefined],
      ['B', ':-'],
      ['C', ':?'],
    ],
  )
})
