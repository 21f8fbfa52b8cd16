/** An agent that knows the recipe of these tests, too. */
import { runAgent } from '../../src/agent/run.ts'
import { copycat } from './copycat.ts'

await runAgent({
  version: 'test',
  logLevel: 'debug',
  metricsAddress: '127.0.0.1',
  recipes: [copycat],
})
