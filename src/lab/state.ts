/** What is remembered about a lab: what it should be. What it is, the kernel knows (observe.ts). */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import { LABS_DIR, labFiles } from './paths.ts'

const LabState = z.object({
  version: z.literal(1),
  name: z.string(),
  /** Third octet of 10.90.x.0/24. */
  octet: z.int().min(0).max(255),
  hosts: z.array(z.string().regex(/^host-\d+$/)),
  /** Whether the hosts run `muster agent`. */
  agent: z.boolean(),
})

export type LabState = z.infer<typeof LabState>

/** The state of a lab; undefined if there is none, or none that can be read (then only `down` helps). */
export const loadState = (lab: string): LabState | undefined => {
  const file = labFiles(lab).state
  if (!existsSync(file)) return undefined
  try {
    return LabState.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined
    throw error
  }
}

/** Written before anything is made, and whole or not at all. */
export const saveState = async (state: LabState): Promise<void> => {
  const { dir, state: file } = labFiles(state.name)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`)
  await rename(`${file}.new`, file)
}

/** Names of all labs that left a folder, sorted. */
export const labNames = (): string[] =>
  existsSync(LABS_DIR)
    ? readdirSync(LABS_DIR, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
        .map((entry) => entry.name)
        .sort()
    : []
