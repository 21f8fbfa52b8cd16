import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
const OVERRIDES = NAMES.map((name) => name.replace(/\.(ya?ml)$/, '.override.$1'))

/** Names that are looked for when no file is given, the first one found wins. */
export const DEFAULT_FILES: readonly string[] = NAMES

/**
 * The Compose file of a folder or of the nearest folder above it that has one, and the override file
 * beside it. Absolute paths; empty if there is none.
 */
export const findFiles = (directory: string): string[] => {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const found = NAMES.map((name) => join(folder, name)).find((path) => existsSync(path))
    if (found !== undefined) {
      const override = OVERRIDES.map((name) => join(folder, name)).find((path) => existsSync(path))
      return override === undefined ? [found] : [found, override]
    }
    if (folder === dirname(folder)) return []
  }
}

/** A name made fit for a project: small letters, digits, `-` and `_`, beginning with one of the first two. */
export const normalizeProjectName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')

export const PROJECT_NAME_RULE =
  'small letters, digits, "-" and "_", beginning with a letter or digit'
