/** Bundles the command line into dist/: one file per lazily loaded command, so `--help` stays fast. */
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import { build, type Plugin } from 'esbuild'

/**
 * docker-modem loads ssh2 as soon as it is imported, for a transport that checks no host keys and
 * that Muster never uses (src/engine speaks through the system's ssh). Left out of the bundle: it
 * would cost every agent 5 MB, and as an external module it would have to be installed beside.
 */
const withoutSsh2: Plugin = {
  name: 'without-ssh2',
  setup: (build) => {
    build.onLoad({ filter: /[\\/]docker-modem[\\/]lib[\\/]ssh\.js$/ }, () => ({
      contents: 'module.exports = () => { throw new Error("ssh2 is not part of this build") }',
    }))
  },
}

const root = new URL('..', import.meta.url).pathname
const dist = `${root}dist`
// Built aside and put in place at the end: a build that fails leaves what works, and programs that
// run meanwhile find their files.
const made = `${dist}-${process.pid}`
await build({
  entryPoints: {
    muster: 'src/cli/main.ts',
    compose: 'src/compose/index.ts',
  },
  absWorkingDir: root,
  outdir: made,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node22',
  sourcemap: true,
  legalComments: 'none',
  // CommonJS dependencies inside an ES module bundle still call require().
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  plugins: [withoutSsh2],
  logLevel: 'warning',
})
// What others compile against who load Compose files with `muster/compose`.
execFileSync(
  `${root}node_modules/.bin/tsc`,
  ['--project', `${root}tsconfig.types.json`, '--outDir', `${made}/types`],
  { stdio: 'inherit' },
)
const before = `${made}-before`
try {
  renameSync(dist, before)
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
renameSync(made, dist)
rmSync(before, { recursive: true, force: true })
