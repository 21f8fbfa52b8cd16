import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { composeReference } from './compose-reference.ts'
import { createProgram } from './program.ts'
import { commandReference, errorReference } from './reference.ts'

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

it('docs/commands.md is what the commands say (npm run docs)', () => {
  expect(page('commands.md')).toBe(commandReference(createProgram()))
})

it('docs/errors.md is what the code says (npm run docs)', () => {
  expect(page('errors.md')).toBe(errorReference())
})

it('docs/compose.md is what decides the keys (npm run docs)', () => {
  expect(page('compose.md')).toBe(composeReference())
})
