import { styleText } from 'node:util'
import { createLogUpdate } from 'log-update'
import {
  describe,
  type Failure,
  keyOf,
  type MemberRow,
  type Operation,
  type ServiceProgress,
} from '../stack/index.ts'

/** Shows a deployment as it goes: in place on a terminal, as lines elsewhere. */
export interface DeployView {
  onDone: (operation: Operation) => void
  onWarning: (text: string) => void
  onProgress: (services: ServiceProgress[]) => void
  onRollback: (failure: Failure, to: number) => void
  /** Leaves the last state on the screen. */
  end: () => void
}

export interface ViewOptions {
  title: string
  stack: string
  /** Keys of services that the deployment does not touch. */
  unchanged: readonly string[]
}

/** The view that fits where standard output goes. */
export const createView = (options: ViewOptions): DeployView =>
  process.stdout.isTTY && process.env.CI === undefined ? liveView(options) : plainView(options)

const BAR = 20

/** `████████░░░░`, as full as `part` says. */
export const bar = (part: number): string => {
  const full = Math.round(Math.min(1, Math.max(0, part)) * BAR)
  return '█'.repeat(full) + '░'.repeat(BAR - full)
}

/** How far a service is, in a few words. */
export const progressText = (each: ServiceProgress): string => {
  const verb = each.job ? 'completed' : each.arrived ? 'serving' : 'ready'
  const count = `${each.done}/${each.wanted} ${verb}`
  if (each.arrived) return count
  if (each.diagnosis === undefined) return `${count}   runs, not ready for traffic yet`
  return `${count}   ${each.diagnosis.sentence.replace(/\.$/, '')}`
}

/** `db-2 on host-2: joining, 350454 (receives the data)`. */
export const memberText = (member: MemberRow): string =>
  `${member.name}${member.host === '' ? '' : ` on ${member.host}`}: ${member.role}${member.note === '' || member.ready ? '' : ` (${member.note})`}`

const liveView = (options: ViewOptions): DeployView => {
  const update = createLogUpdate(process.stdout)
  let { title } = options
  let ended = false
  const draw = (services: ServiceProgress[]) => {
    const names = services.map((each) => keyOf(each.service))
    const width = Math.max(0, ...names.map((name) => name.length))
    const lines = services.map((each, i) => {
      const name = (names[i] ?? '').padEnd(width)
      if (each.arrived && options.unchanged.includes(names[i] ?? '')) return `  ${name}   unchanged`
      const part = each.wanted === 0 ? 1 : each.done / each.wanted
      const line = `  ${name}   ${styleText(each.arrived ? 'green' : 'cyan', bar(part))}  ${progressText(each)}`
      return each.arrived
        ? line
        : [
            line,
            ...(each.members ?? []).map(
              (member) => `  ${' '.repeat(width)}   ${memberText(member)}`,
            ),
          ]
    })
    update([title, ...lines.flat()].join('\n'))
  }
  return {
    onDone: () => undefined,
    onWarning: (text) => update.persist(`warning: ${text}`),
    onProgress: draw,
    onRollback: (failure, to) => {
      update.done()
      title = `${options.stack}  going back to revision ${to}: ${failure.sentence}`
    },
    end: () => {
      if (!ended) update.done()
      ended = true
    },
  }
}

/** One line for each thing that happens; nothing is repeated. */
const plainView = (options: ViewOptions): DeployView => {
  const last = new Map<string, string>()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  return {
    onDone: (operation) => {
      const { sign, subject } = describe(operation, options.stack)
      const verb = { '+': 'created', '~': 'changed', '-': 'removed' }[sign]
      say(`${verb} ${subject}`)
    },
    onWarning: (text) => say(`warning: ${text}`),
    onProgress: (services) => {
      for (const each of services) {
        const name = keyOf(each.service)
        if (each.arrived && options.unchanged.includes(name) && !last.has(each.name)) continue
        const text = progressText(each)
        if (last.get(each.name) === text) continue
        last.set(each.name, text)
        say(`${name}: ${text}`)
      }
      for (const each of services.flatMap((service) => service.members ?? [])) {
        const text = memberText(each)
        if (last.get(each.id) === text) continue
        last.set(each.id, text)
        say(`  ${text}`)
      }
    },
    onRollback: (failure, to) => say(`${failure.sentence} Going back to revision ${to}.`),
    end: () => undefined,
  }
}
