import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEnvFile, parseRawEnvFile } from './dotenv.ts'
import { Problems } from './problems.ts'
import { sourceFile } from './source.ts'

const read = (text: string, env: Record<string, string> = {}) => {
  const problems = new Problems()
  const values = parseEnvFile(sourceFile('.env', '/.env', text), (name) => env[name], problems)
  return { values: Object.fromEntries(values), errors: problems.errors }
}

describe('parseEnvFile', () => {
  test.each<[string, Record<string, string>]>([
    ['A=1\nB = 2 # no\nC="x # y" # no\nD=\'z\'', { A: '1', B: '2', C: 'x # y', D: 'z' }],
    ['export A=1\nexportB=2', { A: '1', exportB: '2' }],
    ['A: Foo=bar', { A: 'Foo=bar' }],
    ['A=1#x', { A: '1#x' }],
    ['# c\n\n  \nA.B-C[0]=1', { 'A.B-C[0]': '1' }],
    ['A="two\nlines"\nB=1', { A: 'two\nlines', B: '1' }],
    ['A="a\\nb\\t\\"q\\" \\0123 \\x07"', { A: 'a\nb\t"q" S \\x07' }],
    ["A='a\\nb'", { A: 'a\\nb' }],
    ['A=1\nB=$A ${A}x ${C:-d}', { A: '1', B: '1 1x d' }],
    ["A=1\nB='$A'", { A: '1', B: '$A' }],
    ['A="\\$B \\${B}"', { A: '$B ${B}' }],
    ['FROM_ENV\nNOT_SET\nA=1', { FROM_ENV: 'env', A: '1' }],
    ['FROM_ENV', { FROM_ENV: 'env' }],
    ['\ufeffA=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ])('%j', (text, values) => {
    expect(read(text, { FROM_ENV: 'env' })).toEqual({ values, errors: [] })
  })

  test('variables outside win over those of the file', () => {
    expect(read('A=file\nB=$A', { A: 'env' }).values).toEqual({ A: 'file', B: 'env' })
  })

  test('what is wrong is placed', () => {
    const { errors } = read('A=1\nlol$wut\nB="x\n')
    expect(errors.map((e) => [e.location?.line, e.location?.column, e.message])).toEqual([
      [2, 4, 'unexpected "$" in the name of a variable: "lol$wut"'],
      [3, 3, 'a quote is opened here and never closed'],
    ])
  })

  test('raw files are taken as they are', () => {
    const source = sourceFile('.env', '/.env', '# c\nA="x" # y\nB=$A\n\nC=')
    const values = parseRawEnvFile(source, () => undefined, new Problems())
    expect(Object.fromEntries(values)).toEqual({ A: '"x" # y', B: '$A', C: '' })
  })

  test('any text is read or refused, never thrown at', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'A=: \n"\'\\$#{}-\u0000é'.split('')) }),
        (text) => {
          read(text)
        },
      ),
    )
  })

  test('any value survives single quotes', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const quoted = value.replaceAll(/['\\]/g, '')
        expect(read(`A='${quoted}'`).values).toEqual({ A: quoted })
      }),
    )
  })
})
