import { defineConfig } from 'vitest/config'

/** Clusters of databases on five hosts: too much for two cores at every change. */
const CLUSTERS = [
  'test/galera.test.ts',
  'test/example-galera.test.ts',
  'test/etcd.test.ts',
  'test/example-kv.test.ts',
  'test/outside.test.ts',
  'test/official-image.test.ts',
]

/** Of the parts of `npm run test:chaos` that need no lab. */
const CHAOS = 'test/chaos/**/*.test.ts'

/** Real engines on shared cores: one file at a time. */
const onEngines = { fileParallelism: false, testTimeout: 180_000, hookTimeout: 300_000 }

export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      { test: { name: 'unit', include: ['src/**/*.test.ts', CHAOS], testTimeout: 30_000 } },
      {
        test: {
          name: 'lab',
          include: ['test/**/*.test.ts'],
          exclude: [...CLUSTERS, CHAOS],
          ...onEngines,
        },
      },
      { test: { name: 'clusters', include: CLUSTERS, ...onEngines } },
    ],
  },
})
