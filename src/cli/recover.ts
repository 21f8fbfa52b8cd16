import { hostname, userInfo } from 'node:os'
import { LABEL, MusterError, parseDuration, systemClock } from '../base/index.ts'
import {
  type Ledger,
  type MemberId,
  type MemberReport,
  type Position,
  reportId,
} from '../catalog/index.ts'
import { connectEngine, type Engine } from '../engine/index.ts'
import { readStoredLedgers, writeLedger } from '../members/index.ts'
import { converge, findService, keyOf, notFound, stackFilter, stackOf } from '../stack/index.ts'
import type { RecoverOptions } from './clustered.ts'
import { age, confirm } from './output.ts'
import { agentReadiness, memberReports } from './stack-agent.ts'
import { failureError } from './stack-deploy.ts'
import { createView } from './stack-view.ts'

/** Makes one copy of the data the truth: shows every copy, asks, and records who decided. */
export const recover = async (name: string, options: RecoverOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const { service } = findService(await engine.listServices(), name)
  const cluster = service.Spec.Labels?.[LABEL.cluster] ?? service.Spec.Name
  const stored = (await readStoredLedgers(engine)).ledgers.get(cluster)
  if (stored === undefined) throw notFound('clustered service', name, [])
  const { ledger } = stored
  const from = memberNamed(ledger, options.from)
  const nodes = new Map(
    (await engine.listNodes()).map((each) => [each.ID, each.Description?.Hostname ?? each.ID]),
  )
  const reports = (await memberReports()) ?? new Map<string, MemberReport>()
  const copies = Object.entries(ledger.members).map(([id, { host }]): Copy => {
    const report = reports.get(reportId({ host, id }))
    return {
      id,
      host: nodes.get(host) ?? `${host} (gone)`,
      data: report?.data ?? 'unheard',
      position: report?.position ?? null,
      running: report?.process === 'running' && report.status?.role !== 'outside',
    }
  })
  for (const line of evidence(ledger, copies, from)) process.stdout.write(`${line}\n`)
  const chosen = copies.find((each) => each.id === from)
  if (ledger.phase !== 'held') {
    throw new MusterError(
      'USAGE',
      `${cluster} is ${ledger.phase}, not held: there is nothing that a person has to decide.`,
      { hint: `See how it is: muster why ${name}` },
    )
  }
  if (chosen?.data === 'none' || chosen?.data === 'empty') {
    throw new MusterError('USAGE', `${from} has no data to recover from.`, {
      hint: 'Choose another member.',
    })
  }
  const question = `Go on with the data of ${from}? The others' are replaced by it (theirs are set aside).`
  if (!(await confirm(question, { yes: options.yes === true }))) {
    process.stdout.write('Nothing was changed.\n')
    return
  }
  const order = { epoch: ledger.epoch, from, by: whoAmI(), at: Date.now() }
  if (!(await writeLedger(engine, { ...ledger, order }, stored))) {
    throw new MusterError('CONFLICT', `What is known of ${cluster} has changed meanwhile.`, {
      hint: 'Look at the evidence again: run the same command once more.',
    })
  }
  process.stdout.write(`${cluster} goes on with the data of ${from}.\n`)
  if (options.detach !== true) await waitFor(engine, { name: service.Spec.Name, timeoutMs })
}

interface Copy {
  id: MemberId
  /** Name. */
  host: string
  data: string
  position: Position | null
  running: boolean
}

const memberNamed = (ledger: Ledger, name: string): MemberId => {
  const ids = Object.keys(ledger.members)
  const found = ids.find(
    (id) =>
      id === name ||
      id.endsWith(`_${name}`) ||
      id === `${ledger.cluster}-${/^(?:.*[.-])?(\d+)$/.exec(name)?.[1]}`,
  )
  if (found === undefined) throw notFound('member', name, ids)
  return found
}

/** What each copy holds, and what goes when one of them becomes the truth. Pure. */
export const evidence = (ledger: Ledger, copies: readonly Copy[], from: MemberId): string[] => {
  const lines = copies.map(
    (each) =>
      `  ${each.id === from ? '*' : ' '} ${each.id} on ${each.host}: ${each.data}, ${
        each.position === null
          ? 'no position known'
          : `position ${each.position.sequence} of ${each.position.history}`
      }${each.running ? ', runs' : ''}`,
  )
  const { highWater, held } = ledger
  return [
    `${ledger.cluster}: ${ledger.phase}${held === null ? '' : `, ${held.reason}`}`,
    ...lines,
    ...(highWater === null
      ? []
      : [
          `  the newest that was ever seen: ${highWater.sequence} of ${highWater.history}, ${age(Date.now() - highWater.at)} ago`,
        ]),
    lossOf(
      ledger,
      copies,
      copies.find((each) => each.id === from),
    ),
  ]
}

const lossOf = (ledger: Ledger, copies: readonly Copy[], chosen: Copy | undefined): string => {
  if (chosen === undefined || chosen.position === null) {
    return 'Nobody knows how much would be lost: the position of that copy is not known.'
  }
  const { history, sequence } = chosen.position
  const known = [
    ...copies.flatMap((each) => each.position ?? []),
    ...(ledger.highWater === null ? [] : [ledger.highWater]),
  ]
  const others = known.filter((each) => each.history !== history)
  const newest = known
    .filter((each) => each.history === history)
    .reduce(
      (most, each) => (BigInt(each.sequence) > most ? BigInt(each.sequence) : most),
      BigInt(sequence),
    )
  const lost = newest - BigInt(sequence)
  const behind =
    lost === 0n
      ? 'No known transaction of that history would be lost.'
      : `Up to ${lost} transactions of that history would be lost.`
  return others.length === 0
    ? behind
    : `${behind} Everything that only another history has would be lost: its positions do not compare.`
}

const whoAmI = (): string => {
  const user = process.env.SUDO_USER ?? userInfo().username
  return `${user}@${hostname()}`
}

const waitFor = async (
  engine: Engine,
  { name, timeoutMs }: { name: string; timeoutMs: number },
): Promise<void> => {
  const services = await engine.listServices()
  const { service } = findService(services, name)
  await using readiness = await agentReadiness()
  const view = createView({ title: keyOf(service), stack: stackOf(service), unchanged: [] })
  try {
    const result = await converge(engine, {
      filters: stackFilter(stackOf(service)),
      targets: [{ name, touched: true, expectsUpdate: false }],
      before: new Set(),
      timeoutMs,
      clock: systemClock,
      readiness: readiness.source,
      onProgress: view.onProgress,
    })
    if (result.outcome === 'failed') throw failureError(result.diagnosis)
    if (result.outcome === 'timeout') {
      throw failureError({
        sentence: `Waited ${timeoutMs / 1000} s for ${name}. ${result.waiting[0]?.diagnosis?.sentence ?? ''}`,
        advice: result.waiting[0]?.diagnosis?.advice || `How it goes: muster why ${name}`,
      })
    }
  } finally {
    view.end()
  }
}
