import { type Clock, LABEL, MusterError } from '../base/index.ts'
import type { Engine, Filters } from '../engine/index.ts'
import { applyAll, phases } from './apply.ts'
import { cleanUp } from './clean-up.ts'
import { targetsOf } from './targets.ts'
import { converge, type ConvergeResult, type Readiness, type Target } from './converge.ts'
import { type Current, readCurrent } from './current.ts'
import type { SettledStack } from './desired.ts'
import type { Diagnosis } from './diagnose.ts'
import { execute, executeContext, type ExecuteContext } from './execute.ts'
import type { Operation } from './operations.ts'
import { plan, type Plan } from './plan.ts'
import type { ServiceProgress } from './progress.ts'
import { deployedRevision, markRevision, type Revision, revisionConfig } from './revisions.ts'

export interface DeployOptions {
  engine: Engine
  clock: Clock
  /** As it was when the plan was made. */
  current: Current
  registryAuth: (image: string) => string | undefined
  readiness: Readiness | undefined
  timeoutMs: number
  /** Do not wait until everything serves. */
  detach: boolean
  /** An older revision that is deployed again; without it a new one is written down. */
  again?: Revision
  /** Lines that show what a diagnosis says; asked before a rollback takes them away. */
  collectEvidence: (diagnosis: Diagnosis) => Promise<string[]>
  /** Stops waiting; the deployment goes on. */
  signal?: AbortSignal
  events: DeployEvents
}

/** What a live view wants to know. */
export interface DeployEvents {
  onDone: (operation: Operation) => void
  onWarning: (text: string) => void
  onProgress: (services: ServiceProgress[]) => void
  /** The deployment failed and the stack goes back to a revision. */
  onRollback: (failure: Failure, to: number) => void
}

/** Why a deployment failed. */
export interface Failure {
  /** Sentences, the first says it all. */
  sentence: string
  advice: string
  diagnosis: Diagnosis | undefined
  /** What the container and its health check said. */
  evidence: string[]
}

export type DeployResult =
  | { outcome: 'serving'; revision: number }
  | { outcome: 'detached' | 'interrupted'; revision: number }
  | { outcome: 'failed'; revision: number; failure: Failure; rollback: RollbackResult }

/**
 * - `none`: there was nothing to go back to, or the user wants failed updates to stay
 * - `done`: everything serves as in that revision
 * - `going`: it is on its way, somebody stopped waiting
 * - `failed`: that did not work either
 */
export type RollbackResult =
  | { kind: 'none'; why: 'first' | 'kept' | 'nothing-changed' }
  | { kind: 'done' | 'going'; to: number }
  | { kind: 'failed'; to: number; failure: Failure }

/**
 * Applies a plan and waits until the stack serves. If it does not come to serve, the whole stack
 * goes back to the revision that was deployed before.
 */
export const deploy = async (wanted: Plan, options: DeployOptions): Promise<DeployResult> => {
  const { engine, current } = options
  const nothing = wanted.operations.length === 0
  const previous = deployedRevision(current.revisions)
  const recorded = await record(wanted, options)
  const { number: revision } = recorded
  const before = await taskIds(engine, wanted.stack)
  const context = executeContext(options, current)
  const ended = await carryOut(wanted, { ...options, context, before })
  switch (ended.outcome) {
    case 'serving':
      await finish(wanted.stack, recorded, options)
      return { outcome: 'serving', revision }
    case 'detached':
    case 'interrupted':
      return { outcome: ended.outcome, revision }
    case 'failed': {
      const { diagnosis } = ended.failure
      const evidence = diagnosis === undefined ? [] : await options.collectEvidence(diagnosis)
      const failure = { ...ended.failure, evidence }
      if (nothing) {
        const rollback = { kind: 'none', why: 'nothing-changed' } as const
        return { outcome: 'failed', revision, failure, rollback }
      }
      if (options.again === undefined) await markRevision(engine, recorded.id, 'failed')
      const rollback = await goBack(previous, { failure, wanted, options })
      return { outcome: 'failed', revision, failure, rollback }
    }
  }
}

interface Recorded {
  id: string
  number: number
}

/** Writes the revision down before anything is done, so that a deployment can never be unknown. */
const record = async (
  wanted: Plan,
  { engine, current, again }: DeployOptions,
): Promise<Recorded> => {
  if (again !== undefined) return { id: again.id, number: again.number }
  if (wanted.operations.length === 0) {
    const at = current.revisions.findLastIndex((each) => sameSpecs(each.settled, wanted.settled))
    const same = current.revisions[at]
    const overtaken = current.revisions.slice(at + 1).some((each) => each.state === 'deployed')
    if (same !== undefined && !overtaken) return { id: same.id, number: same.number }
  }
  try {
    const { ID: id } = await engine.createConfig(
      revisionConfig(wanted.settled, wanted.to, 'deploying'),
    )
    return { id, number: wanted.to }
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'CONFLICT') throw error
    throw new MusterError(
      'CONFLICT',
      `Somebody else deploys ${wanted.stack} right now (revision ${wanted.to}).`,
      { hint: `Look at it with muster ps ${wanted.stack}, then try again.`, cause: error },
    )
  }
}

const sameSpecs = (a: SettledStack, b: SettledStack): boolean =>
  JSON.stringify(a.services) === JSON.stringify(b.services)

/** The label that everything of a stack has. */
export const stackFilter = (stack: string): Filters => ({ label: [`${LABEL.stack}=${stack}`] })

const taskIds = async (engine: Engine, stack: string): Promise<Set<string>> =>
  new Set((await engine.listTasks(stackFilter(stack))).map((each) => each.ID))

type Carrying = DeployOptions & { context: ExecuteContext; before: ReadonlySet<string> }

type Ended =
  | { outcome: 'serving' | 'detached' | 'interrupted' }
  | { outcome: 'failed'; failure: Failure }

/** Executes the plan, wave by wave, and waits for the whole stack. */
const carryOut = async (wanted: Plan, options: Carrying): Promise<Ended> => {
  const { prepare, early, waves, late } = phases(wanted.operations)
  const { context, events, detach } = options
  const targets = targetsOf(wanted)
  try {
    await applyAll(prepare, context, events)
    await applyAll(early, context, events)
    for (const [i, wave] of waves.entries()) {
      if (i > 0) {
        const awaited = awaitedBy(wave)
        const result = await waitFor(
          targets.filter((each) => awaited.has(each.name)),
          wanted.stack,
          options,
        )
        if (result.outcome !== 'serving') return endOf(result, options.timeoutMs)
      }
      await applyAll(wave, context, events)
    }
    if (!detach) {
      const result = await waitFor(targets, wanted.stack, options)
      if (result.outcome !== 'serving') return endOf(result, options.timeoutMs)
    }
    for (const operation of late) {
      // Networks come last, and only when the tasks have left them.
      if (detach && operation.kind === 'remove-network') continue
      if (operation.kind === 'remove-network') await tidy(operation, options)
      else {
        await execute(operation, context)
        events.onDone(operation)
      }
    }
    return { outcome: detach ? 'detached' : 'serving' }
  } catch (error) {
    // A conflict means that somebody else decides about this stack now: hands off.
    if (!(error instanceof MusterError) || error.code !== 'ENGINE_REFUSED') throw error
    return { outcome: 'failed', failure: failureOf(error) }
  }
}

/** What the engine would not do, where no task shows it. */
const failureOf = ({ message, hint }: MusterError): Failure => ({
  sentence: message,
  advice: hint ?? '',
  diagnosis: undefined,
  evidence: [],
})

/** A network that somebody still uses is no reason to fail: everything serves without it. */
const tidy = async (operation: Operation, { context, events }: Carrying): Promise<void> => {
  try {
    await execute(operation, context)
    events.onDone(operation)
  } catch (error) {
    if (!(error instanceof MusterError)) throw error
    events.onWarning(`${error.message} The next muster up tries again.`)
  }
}

const waitFor = (
  targets: readonly Target[],
  stack: string,
  options: Carrying,
): Promise<ConvergeResult> =>
  converge(options.engine, {
    filters: stackFilter(stack),
    targets,
    before: options.before,
    timeoutMs: options.timeoutMs,
    clock: options.clock,
    readiness: options.readiness,
    onProgress: options.events.onProgress,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })

const awaitedBy = (wave: readonly Operation[]): Set<string> =>
  new Set(
    wave.flatMap((each) => ('service' in each ? each.service.after : []).map((it) => it.service)),
  )

const endOf = (result: ConvergeResult, timeoutMs: number): Ended => {
  switch (result.outcome) {
    case 'serving':
    case 'interrupted':
      return { outcome: result.outcome }
    case 'failed': {
      const { diagnosis } = result
      return {
        outcome: 'failed',
        failure: {
          sentence: diagnosis.sentence,
          advice: diagnosis.advice,
          diagnosis,
          evidence: [],
        },
      }
    }
    case 'timeout': {
      const [first] = result.waiting
      const names = result.waiting.map((each) => each.name).join(', ')
      const diagnosis = first?.diagnosis
      return {
        outcome: 'failed',
        failure: {
          sentence:
            `Waited ${Math.round(timeoutMs / 1000)} s for ${names}. ${diagnosis?.sentence ?? ''}`.trim(),
          advice: diagnosis?.advice || 'Give it longer with --timeout.',
          diagnosis,
          evidence: [],
        },
      }
    }
  }
}

/** The stack as it was in the last deployed revision. */
const goBack = async (
  previous: Revision | undefined,
  { failure, wanted, options }: { failure: Failure; wanted: Plan; options: DeployOptions },
): Promise<RollbackResult> => {
  if (previous === undefined) return { kind: 'none', why: 'first' }
  if (keepsFailures(failure, wanted)) return { kind: 'none', why: 'kept' }
  const { engine } = options
  const to = previous.number
  options.events.onRollback(failure, to)
  const ended = await restore(previous, wanted.stack, options)
  switch (ended.outcome) {
    case 'failed':
      return { kind: 'failed', to, failure: ended.failure }
    case 'interrupted':
      return { kind: 'going', to }
    case 'serving':
    case 'detached':
      await cleanUp(engine, wanted.stack)
      return { kind: 'done', to }
  }
}

/** Swarm takes failed services back by itself, and may do so between our look and our update. */
const RESTORE_ATTEMPTS = 5

const restore = async (
  previous: Revision,
  stack: string,
  options: DeployOptions,
): Promise<Ended> => {
  const { engine } = options
  for (let attempt = 1; ; attempt++) {
    const current = await readCurrent(engine, stack)
    const context = executeContext(options, current)
    const before = await taskIds(engine, stack)
    try {
      const back = plan(previous.settled, current)
      return await carryOut(back, { ...options, detach: false, current, context, before })
    } catch (error) {
      if (!(error instanceof MusterError)) throw error
      if (error.code === 'CONFLICT' && attempt < RESTORE_ATTEMPTS) continue
      return { outcome: 'failed', failure: failureOf(error) }
    }
  }
}

/** The user asked that a failed update of this service stays as it is. */
const keepsFailures = (failure: Failure, wanted: Plan): boolean => {
  const id = failure.diagnosis?.task?.ServiceID
  const update = wanted.operations.find((each) => each.kind === 'update-service' && each.id === id)
  const action =
    update?.kind === 'update-service' ? update.service.spec.UpdateConfig?.FailureAction : undefined
  return action === 'pause' || action === 'continue'
}

/** The revision serves: say so, and clear away what only older ones needed. */
const finish = async (
  stack: string,
  recorded: Recorded,
  { engine, current }: DeployOptions,
): Promise<void> => {
  const known = current.revisions.find((each) => each.id === recorded.id)
  const newer = current.revisions.filter(
    (each) => each.number > recorded.number && each.state === 'deployed',
  )
  if (known?.state === 'deployed' && newer.length === 0) return
  // First what is, then what is no more: a crash in between leaves a revision to go back to.
  if (known?.state !== 'deployed') await markRevision(engine, recorded.id, 'deployed')
  for (const each of newer) await markRevision(engine, each.id, 'undone')
  await cleanUp(engine, stack)
}
