import { connectEngine, type Service } from '../engine/index.ts'
import {
  collectEvidence,
  findService,
  isHeld,
  keyOf,
  runCheck,
  waitsOf,
  type Diagnosis,
  type ServiceProgress,
} from '../stack/index.ts'
import { explainCluster } from './cluster-explain.ts'
import { parseFormat } from './output.ts'
import { agentCatalog, readyTasks, runInTask } from './stack-agent.ts'
import { type ClusterView, isHead, progressIn, readCluster } from './stack-read.ts'

/** Says in a sentence or two why a service is not as it should be, and what to do. */
export const why = async (name: string, options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const [view, ready] = await Promise.all([readCluster(engine), readyTasks()])
  const { service } = findService(view.services, name)
  const progress = progressIn(view, service, ready)
  const { diagnosis, wanted, done } = progress
  if (diagnosis === undefined) {
    const sentence = progress.arrived
      ? `${keyOf(service)} is as it should be: ${done} of ${wanted} ${progress.job ? 'completed' : 'serving'}.`
      : `${keyOf(service)} has ${done} of ${wanted} serving; the others run, but are not ready for traffic yet.`
    print(format, { sentence, advice: '', evidence: [] })
    return
  }
  if (isHead(service)) {
    const { sentence, advice } = diagnosis
    const next = await explainCluster(view, service, await agentCatalog())
    const said =
      diagnosis.task === undefined ? [] : await collectEvidence(engine, diagnosis, undefined)
    const evidence = [
      ...clusterEvidence(view, progress),
      ...said,
      ...next.map((each) => `next: ${each}`),
    ]
    print(format, { sentence, advice, evidence })
    return
  }
  const root = isHeld(service) ? rootCause(view, diagnosis, service) : diagnosis
  const evidence = await collectEvidence(engine, root, await checkOutput(view, root))
  print(format, { sentence: root.sentence, advice: root.advice, evidence })
}

/** Each member, and each copy of the data when a person has to decide. */
const clusterEvidence = (
  view: ClusterView,
  { service, members = [] }: ServiceProgress,
): string[] => {
  const held = view.ledgers.get(service.Spec.Name)?.held
  const nameOf = (host: string) =>
    view.nodes.find((each) => each.ID === host)?.Description?.Hostname ?? host
  if (held) {
    return held.copies.map(
      ({ member, host, data, position }) =>
        `${member} on ${nameOf(host)}: data ${data}, ${position === null ? 'no position' : `position ${position.sequence} of ${position.history}`}`,
    )
  }
  return members.map(
    (each) =>
      `${each.name}${each.host === '' ? '' : ` on ${each.host}`}: ${each.role}${each.position === null ? '' : `, position ${each.position.sequence}`}${each.note === '' ? '' : ` (${each.note})`}`,
  )
}

/** The health check is asked of the task that is being tried now, the one that failed is gone. */
const checkOutput = async (view: ClusterView, { kind, task }: Diagnosis) => {
  if (task === undefined || (kind !== 'unhealthy' && kind !== 'starting')) return undefined
  const alive = view.tasks.find(
    (each) =>
      each.ServiceID === task.ServiceID &&
      each.Slot === task.Slot &&
      each.Status?.State === 'starting',
  )
  return alive === undefined ? undefined : runCheck(runInTask(), alive)
}

/** A service that waits is explained by what keeps the first of its dependencies. */
const rootCause = (view: ClusterView, own: Diagnosis, held: Service): Diagnosis => {
  for (const dependency of waitsOf(held)) {
    const service = view.services.find((each) => each.Spec.Name === dependency.service)
    if (service === undefined) {
      return {
        ...own,
        sentence: `${own.sentence} There is no service ${dependency.service}.`,
        advice: 'Run muster up again.',
      }
    }
    const progress = progressIn(view, service, undefined)
    if (progress.arrived || progress.diagnosis === undefined) continue
    return { ...progress.diagnosis, sentence: `${own.sentence} ${progress.diagnosis.sentence}` }
  }
  return {
    ...own,
    sentence: `${own.sentence} That holds as far as one can see from here.`,
    advice: 'The agent of the leading manager starts it; muster status shows whether it answers.',
  }
}

const print = (
  format: 'table' | 'json',
  answer: { sentence: string; advice: string; evidence: string[] },
): void => {
  const text =
    format === 'json'
      ? JSON.stringify(answer, null, 2)
      : [answer.sentence, ...answer.evidence, answer.advice]
          .filter((each) => each !== '')
          .join('\n')
  process.stdout.write(`${text}\n`)
}
