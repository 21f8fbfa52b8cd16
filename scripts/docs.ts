/** Writes the reference pages that are made from the code. */
import { writeFileSync } from 'node:fs'
import { composeReference } from '../src/cli/compose-reference.ts'
import { createProgram } from '../src/cli/program.ts'
import { commandReference, errorReference } from '../src/cli/reference.ts'

const docs = new URL('../docs/', import.meta.url)
writeFileSync(new URL('commands.md', docs), commandReference(createProgram()))
writeFileSync(new URL('errors.md', docs), errorReference())
writeFileSync(new URL('compose.md', docs), composeReference())
