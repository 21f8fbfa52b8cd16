import { MusterError, parseDuration, systemClock } from '../base/index.ts'
import { type Ledger, isHeard, memberReport } from '../catalog/index.ts'
import { connectEngine, type Engine } from '../engine/index.ts'
import { orderOf, writeLedger } from '../members/index.ts'
import { converge, findService, keyOf, stackFilter, stackOf } from '../stack/index.ts'
import type { RecoverOptions } from './clustered.ts'
import { ledgerNamed, memberNamed, whoAmI } from './members.ts'
import { confirm } from './output.ts'
import { type Choice, type Copy, chosenCopy, evidence, newestCopy } from './recover-copies.ts'
import { agentCatalog, agentReadiness } from './stack-agent.ts'
import { failureError } from './stack-deploy.ts'
import { createView } from './stack-view.ts'

/** Makes one copy of the data the truth: shows every copy, asks, and records who decided. */
export const recover = async (name: string, options: RecoverOptions): Promise<void> => {
  const timeoutMs = parseDuration(options.timeout, '--timeout')
  await using engine = connectEngine()
  const { service, stored } = await ledgerNamed(engine, name)
  const { ledger } = stored
  const { cluster } = ledger
  const copies = await readCopies(engine, ledger)
  const show = (choice: Choice | null) => {
    for (const line of evidence(ledger, copies, { choice, now: Date.now() })) {
      process.stdout.write(`${line}\n`)
    }
  }
  if (ledger.phase !== 'held') {
    show(null)
    throw new MusterError(
      'USAGE',
      `${cluster} is ${ledger.phase}, not held: there is nothing that a person has to decide.`,
      { hint: `See how it is: muster why ${name}` },
    )
  }
  const choice = choose(ledger, copies, { options, show })
  show(choice)
  if (!(await confirm(questionOf(choice), { yes: options.yes === true }))) {
    process.stdout.write('Nothing was changed.\n')
    return
  }
  const order = orderOf(ledger, choice, { by: whoAmI(), now: Date.now() })
  if (!(await writeLedger(engine, { ...ledger, order }, stored))) {
    throw new MusterError('CONFLICT', `What is known of ${cluster} has changed meanwhile.`, {
      hint: 'Look at the evidence again: run the same command once more.',
    })
  }
  process.stdout.write(`${cluster} goes on with ${copyText(choice)}.\n`)
  if (options.detach !== true) await waitFor(engine, { name: service.Spec.Name, timeoutMs })
}

/** What the ledger's members have, as this host's agent knows it. */
const readCopies = async (engine: Engine, ledger: Ledger): Promise<Copy[]> => {
  const nodes = new Map(
    (await engine.listNodes()).map((each) => [each.ID, each.Description?.Hostname ?? each.ID]),
  )
  const catalog = await agentCatalog()
  return Object.entries(ledger.members).map(([id, { host }]): Copy => {
    const report = catalog && memberReport(catalog, { host, id })
    const heard = catalog !== undefined && report !== undefined && isHeard(catalog, report)
    return {
      id,
      host: nodes.get(host) ?? `${host} (gone)`,
      data: heard ? report.data : 'unheard',
      position: report?.position ?? null,
      running: report?.process === 'running' && report.status?.role !== 'outside',
      snapshot: report?.snapshot ?? null,
    }
  })
}

const choose = (
  ledger: Ledger,
  copies: readonly Copy[],
  { options, show }: { options: RecoverOptions; show: (choice: null) => void },
): Choice => {
  const snapshot = options.snapshot === true
  try {
    return options.from === undefined
      ? newestCopy(ledger, copies, { snapshot })
      : chosenCopy(copies, { from: memberNamed(ledger, options.from), snapshot })
  } catch (error) {
    show(null)
    throw error
  }
}

const copyText = ({ from, snapshot }: Choice): string =>
  snapshot === null ? `the data of ${from}` : `the snapshot ${snapshot} of ${from}`

const questionOf = (choice: Choice): string =>
  choice.snapshot === null
    ? `Go on with ${copyText(choice)}? The others' are replaced by it (theirs are set aside).`
    : `Go on with ${copyText(choice)}? All data, its own too, are replaced by it (they are set aside).`

const waitFor = async (
  engine: Engine,
  { name, timeoutMs }: { name: string; timeoutMs: number },
): Promise<void> => {
  const services = await engine.listServices()
  const { service } = findService(services, name)
  const before = new Set((await engine.listTasks()).map((task) => task.ID))
  await using readiness = await agentReadiness()
  const view = createView({ title: keyOf(service), stack: stackOf(service), unchanged: [] })
  try {
    const result = await converge(engine, {
      filters: stackFilter(stackOf(service)),
      targets: [{ name, touched: true, expectsUpdate: false }],
      // What failed while nobody had decided yet says nothing of what comes now.
      before,
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
