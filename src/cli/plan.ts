import { connectEngine } from '../engine/index.ts'
import { describe, planText } from '../stack/index.ts'
import { parseFormat } from './output.ts'
import { takenPorts } from './edges.ts'
import { publishedBy } from './stack-deploy.ts'
import type { PlanOptions } from './stack.ts'
import { planFromFiles } from './stack-files.ts'

/** Prints what `up` would do; nothing is changed. */
export const plan = async (options: PlanOptions): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const prepared = await planFromFiles(engine, options)
  if (prepared === undefined) return
  const { plan: planned } = prepared
  const taken = await takenPorts(publishedBy(planned))
  if (format === 'table') {
    process.stdout.write(`${planText(planned, { verb: 'muster up' }).join('\n')}\n`)
    for (const reason of taken) process.stdout.write(`  warning: ${reason}\n`)
    return
  }
  const { stack, from, to, unchanged, notes } = planned
  const operations = planned.operations.map((each) => ({
    kind: each.kind,
    ...describe(each, stack),
    restarts: each.kind === 'update-service' ? each.restarts : 0,
  }))
  const answer = { stack, from: from ?? null, to, operations, unchanged, notes, taken }
  process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`)
}
