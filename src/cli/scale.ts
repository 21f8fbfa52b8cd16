import { parseDuration, systemClock } from '../base/index.ts'
import { connectEngine, type Engine } from '../engine/index.ts'
import {
  converge,
  type ConvergeResult,
  keyOf,
  parseScale,
  scaleService,
  type ScaleChange,
  stackFilter,
  stackOf,
} from '../stack/index.ts'
import { edgePorts, edgesServe, lateLines } from './edges.ts'
import { agentReadiness } from './stack-agent.ts'
import { failureError } from './stack-deploy.ts'
import { createView } from './stack-view.ts'
import type { ScaleOptions } from './stack.ts'

/** Changes replicas and waits until they serve. */
export const scale = async (args: string[], options: ScaleOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const changes = await parseScale(args, await engine.listServices())
  const before = new Set((await engine.listTasks()).map((task) => task.ID))
  for (const change of changes) {
    const { service, from, to } = change
    process.stdout.write(
      from === to
        ? `${service.Spec.Name} has ${to} already\n`
        : `${service.Spec.Name} ${from} -> ${to}\n`,
    )
    if (from !== to) await scaleService(engine, change)
  }
  if (options.detach === true) return
  const stacks = Map.groupBy(changes, (each) => stackOf(each.service))
  for (const [stack, own] of stacks) {
    await wait(engine, { stack, changes: own, before, timeoutMs })
  }
}

const wait = async (
  engine: Engine,
  what: {
    stack: string
    changes: readonly ScaleChange[]
    before: ReadonlySet<string>
    timeoutMs: number
  },
): Promise<void> => {
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.on('SIGINT', interrupt)
  await using readiness = await agentReadiness()
  const view = createView({ title: what.stack, stack: what.stack, unchanged: [] })
  let result: ConvergeResult
  try {
    result = await converge(engine, {
      filters: what.stack === '' ? {} : stackFilter(what.stack),
      targets: what.changes.map(({ service, from, to }) => ({
        name: service.Spec.Name,
        touched: from !== to,
        expectsUpdate: false,
      })),
      before: what.before,
      timeoutMs: what.timeoutMs,
      clock: systemClock,
      readiness: readiness.source,
      onProgress: view.onProgress,
      signal: stop.signal,
    })
  } finally {
    view.end()
    process.off('SIGINT', interrupt)
  }
  switch (result.outcome) {
    case 'serving': {
      const labels = what.changes.map(({ service }) => service.Spec.Labels)
      for (const line of lateLines(await edgesServe(edgePorts(labels)))) {
        process.stdout.write(`${line}\n`)
      }
      return
    }
    case 'interrupted':
      process.stdout.write('Stopped waiting; scaling goes on. How it goes: muster ps\n')
      process.exitCode = 1
      return
    case 'failed': {
      const { sentence, advice } = result.diagnosis
      throw failureError({ sentence, advice })
    }
    case 'timeout': {
      const names = result.waiting.map((each) => keyOf(each.service)).join(', ')
      const [first] = result.waiting
      throw failureError({
        sentence: `Waited ${what.timeoutMs / 1000} s for ${names}. ${first?.diagnosis?.sentence ?? ''}`,
        advice: first?.diagnosis?.advice || 'Give it longer with --timeout.',
      })
    }
  }
}
