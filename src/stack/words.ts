import { headOf } from '../catalog/index.ts'
import type { SwarmServiceSpec } from './desired.ts'
import type { Operation } from './operations.ts'
import { baseName } from './files.ts'
import { type Plan, shortName } from './plan.ts'

/** One line of a plan: a sign, who, what, and what it does to tasks. */
export interface PlanLine {
  sign: '+' | '~' | '-'
  subject: string
  /** The first on the line itself, the others below it. */
  changes: string[]
  effect: string
}

/** What an operation says of itself. */
export const describe = (operation: Operation, stack: string): PlanLine => {
  switch (operation.kind) {
    case 'create-network':
      return {
        sign: '+',
        subject: `network ${shortName(stack, operation.network.name)}`,
        changes: ['new'],
        effect: '',
      }
    case 'create-file': {
      const name = shortName(stack, baseName(operation.file.name))
      return {
        sign: operation.replaces ? '~' : '+',
        subject: `${operation.file.kind} ${name}`,
        changes: [operation.replaces ? 'new content' : 'new'],
        effect: '',
      }
    }
    case 'create-service': {
      const { service, held } = operation
      const after = service.after.map((each) => shortName(stack, each.service)).join(', ')
      return {
        sign: '+',
        subject: service.key,
        changes: [`new, ${membersOf(service.spec) ?? scaleOf(service.spec.Mode)}`],
        effect: held ? `starts after ${after}` : '',
      }
    }
    case 'update-service':
      return {
        sign: '~',
        subject: operation.service.key,
        changes: operation.changes,
        effect: operation.effect,
      }
    case 'recreate-service':
      return {
        sign: '~',
        subject: operation.service.key,
        changes: operation.changes,
        effect: 'removed and made again',
      }
    case 'remove-service':
      return { sign: '-', subject: operation.key, changes: ['removed'], effect: '' }
    case 'remove-network':
      return {
        sign: '-',
        subject: `network ${shortName(stack, operation.name)}`,
        changes: ['removed'],
        effect: '',
      }
  }
}

/** `3 members of galera`; undefined for a service without recipe. */
const membersOf = (spec: SwarmServiceSpec): string | undefined => {
  const head = headOf(spec)
  if (head === null) return undefined
  return `${count(head.members, 'member', 'members')} of ${head.choice.name}`
}

const scaleOf = (mode: { [key: string]: unknown } | object | undefined): string => {
  const {
    Replicated: replicated,
    ReplicatedJob: job,
    Global: global,
    GlobalJob: globalJob,
  } = (mode ?? {}) as {
    Replicated?: { Replicas?: number }
    ReplicatedJob?: { TotalCompletions?: number }
    Global?: object
    GlobalJob?: object
  }
  if (global !== undefined) return 'one on each host'
  if (globalJob !== undefined) return 'a job on each host'
  if (job !== undefined) {
    const runs = job.TotalCompletions ?? 1
    return runs === 1 ? 'a job' : `a job of ${runs} tasks`
  }
  const replicas = replicated?.Replicas ?? 1
  return `${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`
}

const count = (number: number, one: string, many: string): string =>
  `${number} ${number === 1 ? one : many}`

/** The plan as a person reads it. Lines without newline. */
export const planText = (plan: Plan, options: { verb: string | undefined }): string[] => {
  const services = plan.settled.services.length
  const revision =
    plan.from === undefined ? `revision ${plan.to}` : `revision ${plan.from} -> ${plan.to}`
  const unchanged = plan.unchanged.length > 0 ? `, ${plan.unchanged.length} unchanged` : ''
  const notes = plan.notes.map((note) => `  note: ${note}`)
  if (plan.operations.length === 0) {
    const serving = plan.from === undefined ? '' : ` (revision ${plan.from})`
    return [
      `stack ${plan.stack}${serving}: nothing to do, ${count(services, 'service is', 'services are')} as the file says.`,
      ...notes,
    ]
  }
  const lines = plan.operations.map((each) => describe(each, plan.stack))
  const subjects = Math.max(...lines.map((line) => line.subject.length))
  const changes = Math.max(...lines.map((line) => (line.changes[0] ?? '').length))
  const body = lines.flatMap((line) => [
    `  ${line.sign} ${line.subject.padEnd(subjects + 2)}${(line.changes[0] ?? '').padEnd(changes + 2)}${line.effect}`.trimEnd(),
    ...line.changes.slice(1).map((change) => `    ${' '.repeat(subjects + 2)}${change}`),
  ])
  return [
    `stack ${plan.stack} (${revision}), ${count(services, 'service', 'services')}${unchanged}`,
    '',
    ...body,
    ...(notes.length > 0 ? ['', ...notes] : []),
    '',
    `${summary(plan)}${options.verb === undefined ? '' : ` \`${options.verb}\` does it.`}`,
  ]
}

/** `2 services change, 1 new, 1 removed; 3 tasks restart.` */
export const summary = (plan: Plan): string => {
  const kinds = (...names: Operation['kind'][]) =>
    plan.operations.filter((each) => names.includes(each.kind)).length
  const changed = kinds('update-service', 'recreate-service')
  const created = kinds('create-service')
  const removed = kinds('remove-service')
  const restarts = plan.operations.reduce(
    (total, each) => total + (each.kind === 'update-service' ? each.restarts : 0),
    0,
  )
  const parts = [
    ...(changed > 0 ? [count(changed, 'service changes', 'services change')] : []),
    ...(created > 0 ? [`${created} new`] : []),
    ...(removed > 0 ? [`${removed} removed`] : []),
  ]
  const what = parts.length > 0 ? parts.join(', ') : 'No service changes'
  return `${what}; ${restarts === 0 ? 'no task restarts' : count(restarts, 'task restarts', 'tasks restart')}.`
}
