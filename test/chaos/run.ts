/** One run: a cluster under load, and one fault after another. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../src/base/index.ts'
import { findLab, labDown, listLabs } from '../../src/lab/index.ts'
import { bringUp, MemberLab } from '../member-lab.ts'
import { addDisks, removeDisks } from './disks.ts'
import { recordEvents, saveEvidence } from './evidence.ts'
import { aimStep } from './faults.ts'
import { type PlanOptions, planOf, type Step, stepText } from './plan.ts'
import { type StepResult, stepLine } from './report.ts'
import { untilWhole, type Whole } from './whole.ts'
import type { Violation, Workload, WorkloadKind } from './workload.ts'

const HOSTS = 5
const MANAGERS = 3
const MEMBERS = 3
/** Longer than any patience of the decisions about members. */
const WHOLE_MS = 240_000
/** A fault with its own end: power back, operator's commands done. */
const STRIKE_MS = 300_000
/** Every statement of a client has its own limit. */
const STOP_MS = 60_000
/** Between two faults, with clients at work. */
const BREATH_MS = 1500

export interface RunOptions {
  /** Of the lab. */
  name: string
  kind: WorkloadKind
  plan: PlanOptions
  /** No fault begins later than this, Date.now. */
  until: number
  /** For logs and evidence. */
  folder: string
  /** Leave the lab as it is when something is wrong. */
  keep: boolean
  say: (line: string) => void
}

export interface RunResult {
  results: StepResult[]
  summary: Record<string, number>
  /** The run ended before its time, with a violation. */
  failed: boolean
}

/** Brings a lab up, torments it, and takes it down. */
export const run = async (options: RunOptions): Promise<RunResult> => {
  const { name, kind, say, folder } = options
  await takeDown(name)
  const end = new AbortController()
  let failed = true
  try {
    const lab = await bringUp({
      name,
      hosts: HOSTS,
      managers: MANAGERS,
      images: kind.images,
      onProgress: say,
      prepare: addDisks,
    })
    const members = new MemberLab({
      lab,
      stack: kind.stack,
      service: kind.service,
      hasWriter: kind.hasWriter,
    })
    const events = recordEvents(lab, join(folder, 'events.log'), end.signal)
    using workload = kind.open({ lab: members, folder, say })
    try {
      const results = await new Torment(options, members, workload).run()
      failed = results.some(({ violations }) => violations.length > 0)
      return { results, summary: workload.summary(), failed }
    } finally {
      end.abort()
      await Promise.all([workload.stop(), events])
    }
  } finally {
    end.abort()
    if (failed && options.keep)
      say(`The lab is left as it is; take it down with --name ${name} --down`)
    else await takeDown(name)
  }
}

/** The lab of that name and its disks, in whatever state they are. */
export const takeDown = async (name: string): Promise<void> => {
  const lab = (await listLabs()).find((each) => each.name === name)
  if (lab) await Promise.all(lab.hosts.map((host) => findLab(name).kill(host.name)))
  await removeDisks(name)
  await labDown(name)
}

/** A cluster that is deployed, and what has become of it so far. */
class Torment {
  readonly #options: RunOptions
  readonly #lab: MemberLab
  readonly #workload: Workload
  readonly #managers: readonly string[]
  #revision = 1

  // oxlint-disable-next-line max-params -- three things, each with a name
  constructor(options: RunOptions, lab: MemberLab, workload: Workload) {
    this.#options = options
    this.#lab = lab
    this.#workload = workload
    this.#managers = lab.lab.hosts.slice(0, MANAGERS)
  }

  async run(): Promise<StepResult[]> {
    const { plan, until, say, folder } = this.#options
    let whole = await this.#deploy()
    const results: StepResult[] = []
    for (const step of planOf(plan)) {
      if (Date.now() > until) {
        say(`time is over after ${results.length} of ${plan.count} faults`)
        break
      }
      const { result, after } = await this.#step(step, whole)
      results.push(result)
      await writeFile(join(folder, 'results.json'), JSON.stringify(results, null, 1))
      say(stepLine(results.length, result))
      if (result.violations.length > 0 || after === null) break
      whole = after
      await delay(BREATH_MS)
    }
    return results
  }

  async #deploy(): Promise<Whole> {
    const { kind, say } = this.#options
    say('deploying')
    const file = kind.compose({ members: MEMBERS, revision: this.#revision })
    await this.#lab.must(['up', '-f', '-', '--yes'], { input: file })
    await this.#lab.ready(MEMBERS)
    await this.#workload.prepare()
    this.#workload.start()
    const whole = await this.#whole()
    if (typeof whole === 'string') throw new Error(`not whole after it was deployed: ${whole}`)
    return whole
  }

  #whole(): Promise<Whole | string> {
    return untilWhole(this.#lab, {
      kind: this.#options.kind,
      workload: this.#workload,
      managers: this.#managers,
      count: MEMBERS,
      timeoutMs: WHOLE_MS,
    })
  }

  async #step(
    step: Step,
    { members, leader }: Whole,
  ): Promise<{ result: StepResult; after: Whole | null }> {
    const { kind, say } = this.#options
    const aimed = aimStep(
      {
        lab: this.#lab,
        kind,
        workload: this.#workload,
        members,
        leader,
        managers: this.#managers,
        revision: this.#revision,
        say,
      },
      step,
    )
    if (step.fault.kind === 'rolling update') this.#revision++
    const violations: Violation[] = []
    const start = Date.now()
    try {
      await within(STRIKE_MS, aimed.strike())
    } catch (error) {
      violations.push({ what: 'the fault did not end', evidence: messageOf(error) })
    }
    const after = await this.#whole()
    const end = Date.now()
    if (typeof after === 'string') violations.push({ what: 'not whole again', evidence: after })
    else violations.push(...(await this.#check(after)))
    if (violations.length > 0) await this.#save(step, violations)
    const result = {
      text: stepText(step),
      whom: aimed.whom,
      refusedMs: this.#workload.longestGap(start, end),
      wholeMs: end - start,
      violations,
    }
    return { result, after: typeof after === 'string' ? null : after }
  }

  async #check({ members }: Whole): Promise<Violation[]> {
    await within(STOP_MS, this.#workload.stop())
    try {
      return await this.#workload.check(members)
    } catch (error) {
      return [{ what: 'could not be checked', evidence: messageOf(error) }]
    } finally {
      this.#workload.start()
    }
  }

  async #save(step: Step, violations: readonly Violation[]): Promise<void> {
    const folder = join(this.#options.folder, 'evidence')
    this.#options.say(`    saving what is known in ${folder}`)
    await saveEvidence(this.#lab, folder)
    const lines = violations.map(({ what, evidence }) => `${what}: ${evidence}`)
    await writeFile(join(folder, 'violations.txt'), `${stepText(step)}\n${lines.join('\n')}\n`)
    for (const line of lines) this.#options.say(`    ${line.slice(0, 2000)}`)
  }
}

const within = async <T>(limitMs: number, work: Promise<T>): Promise<T> => {
  const over = new AbortController()
  const limit = async (): Promise<never> => {
    await delay(limitMs, undefined, { signal: over.signal })
    throw new Error(`longer than ${limitMs / 1000} s`)
  }
  try {
    return await Promise.race([work, limit()])
  } finally {
    over.abort()
  }
}
