/** Bundles the command line into dist/: one file per lazily loaded command, so `--help` stays fast. */
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

const dist = new URL('../dist/', import.meta.url).pathname
rmSync(dist, { recursive: true, force: true })
await build({
  entryPoints: {
    muster: 'src/cli/main.ts',
    compose: 'src/compose/index.ts',
  },
  absWorkingDir: new URL('..', import.meta.url).pathname,
  outdir: dist,
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
  // docker-modem's own ssh transport checks no host keys: Muster never uses it (see src/engine).
  external: ['ssh2'],
  logLevel: 'warning',
})
