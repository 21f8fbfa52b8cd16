import { MusterError, systemClock } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import {
  collectEvidence,
  deploy,
  type DeployResult,
  type Failure,
  HealthProbe,
  labelledPorts,
  labelledRoutes,
  type Plan,
  type Prepared,
  type Revision,
} from '../stack/index.ts'
import { type EdgeVerdict, edgePorts, edgesServe, lateLines } from './edges.ts'
import { agentReadiness, runInTask } from './stack-agent.ts'
import { createView } from './stack-view.ts'

/** Carries out a plan with a live view, says how it ended, and sets the exit status. */
export const runDeployment = async (
  engine: Engine,
  prepared: Prepared,
  options: { timeoutMs: number; detach: boolean; again?: Revision },
): Promise<DeployResult> => {
  const { plan } = prepared
  const started = systemClock.now()
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.on('SIGINT', interrupt)
  const probe = new HealthProbe(runInTask())
  await using readiness = await agentReadiness()
  const view = createView({
    title: `${plan.stack}  revision ${plan.to}`,
    stack: plan.stack,
    unchanged: plan.unchanged,
  })
  try {
    const result = await deploy(plan, {
      engine,
      clock: systemClock,
      current: prepared.current,
      registryAuth: prepared.registryAuth,
      readiness: readiness.source,
      timeoutMs: options.timeoutMs,
      detach: options.detach,
      ...(options.again === undefined ? {} : { again: options.again }),
      signal: stop.signal,
      collectEvidence: (diagnosis) =>
        collectEvidence(engine, diagnosis, probe.outputFor(diagnosis.task)),
      events: {
        onDone: view.onDone,
        onWarning: view.onWarning,
        onProgress: (services) => {
          probe.watch(services)
          view.onProgress(services)
        },
        onRollback: view.onRollback,
      },
    })
    view.end()
    const edges = await edgesServe(result.outcome === 'serving' ? publishedBy(plan) : [])
    const seconds = Math.round((systemClock.now() - started) / 1000)
    for (const line of summaryLines(plan, result, { seconds, edges })) {
      process.stdout.write(`${line}\n`)
    }
    const { blocked } = edges
    if (blocked.length > 0) {
      throw new MusterError('DEPLOY_FAILED', `Everything runs, but ${blocked.join('; ')}.`, {
        hint: 'Free the port there, or publish another one; muster status shows it too.',
      })
    }
    if (result.outcome === 'failed' || result.outcome === 'interrupted') process.exitCode = 1
    return result
  } finally {
    view.end()
    process.off('SIGINT', interrupt)
  }
}

/** How it ended, in words. The last line of a failure says what to do. */
export const summaryLines = (
  plan: Plan,
  result: DeployResult,
  { seconds, edges }: { seconds: number; edges: EdgeVerdict },
): string[] => {
  const { stack } = plan
  switch (result.outcome) {
    case 'serving':
      return [`${addresses(plan)}  ${seconds}s`, ...lateLines(edges)]
    case 'detached':
      if (plan.operations.length === 0) return []
      return [`${stack} revision ${result.revision} is on its way. How it goes: muster ps ${stack}`]
    case 'interrupted':
      return [
        `Stopped waiting; the deployment of ${stack} goes on. How it goes: muster ps ${stack}, muster up again to wait.`,
      ]
    case 'failed':
      return failureLines(plan, result)
  }
}

const failureLines = (
  plan: Plan,
  result: Extract<DeployResult, { outcome: 'failed' }>,
): string[] => {
  const { failure, rollback, revision } = result
  const { stack } = plan
  const what = [
    '',
    `  ${failure.sentence}`,
    ...failure.evidence.map((line) => `  ${line}`),
    ...(failure.advice === '' ? [] : [`  ${failure.advice}`]),
  ]
  switch (rollback.kind) {
    case 'done':
      return [
        `${stack}  revision ${revision} failed, rolled back to revision ${rollback.to}: everything serves as before`,
        ...what,
      ]
    case 'going':
      return [
        `${stack}  revision ${revision} failed, it is going back to revision ${rollback.to}`,
        ...what,
        `  How it goes: muster ps ${stack}`,
      ]
    case 'failed':
      return [
        `${stack}  revision ${revision} failed, and so did going back to revision ${rollback.to}`,
        ...what,
        `  Going back: ${rollback.failure.sentence}`,
        `  Look at it: muster ps ${stack}. Try again: muster rollback ${stack}`,
      ]
    case 'none':
      if (rollback.why === 'nothing-changed') {
        return [`${stack}  is as the file says, but does not serve`, ...what]
      }
      return [
        rollback.why === 'first'
          ? `${stack}  revision ${revision} failed; there is no earlier one to go back to`
          : `${stack}  revision ${revision} failed and stays as it is (update_config.failure_action)`,
        ...what,
        `  It is left as it is to look at: muster ps ${stack}. Remove it: muster down ${stack}`,
      ]
  }
}

/** TCP ports that the edges publish for the stack. */
export const publishedBy = (plan: Plan): number[] =>
  edgePorts(plan.settled.services.map((each) => each.spec.Labels))

/**
 * `Serving on every host: http :80 (shop.example.com), tcp :3306. On hosts with the address: tcp
 * 10.0.0.1:53.`
 */
const addresses = (plan: Plan): string => {
  const labels = plan.settled.services.map((each) => each.spec.Labels)
  const routes = Map.groupBy(
    labels.flatMap((each) => labelledRoutes(each)),
    (route) => route.published,
  )
  const all = labels.flatMap((each) => labelledPorts(each))
  const ports = all.filter((port) => port.hostIp === undefined)
  const bound = all.filter((port) => port.hostIp !== undefined)
  const elsewhere = bound.map((port) => `${port.mode} ${port.hostIp}:${port.published}`).join(', ')
  const parts = [
    ...ports.map((port) => ({ port: port.published, text: `${port.mode} :${port.published}` })),
    ...[...routes].map(([port, each]) => ({
      port,
      text: `http :${port} (${[...new Set(each.map((route) => route.host))].join(', ')})`,
    })),
  ].sort((a, b) => a.port - b.port)
  const sentences = [
    ...(parts.length === 0
      ? []
      : [`Serving on every host: ${parts.map((part) => part.text).join(', ')}.`]),
    ...(elsewhere === '' ? [] : [`On hosts with the address: ${elsewhere}.`]),
  ]
  return sentences.join(' ') || 'Everything serves.'
}

/** An error of a command that waited and was told why it waits in vain. */
export const failureError = (failure: Pick<Failure, 'sentence' | 'advice'>): MusterError =>
  new MusterError('DEPLOY_FAILED', failure.sentence, { hint: failure.advice })
