import { connectEngine } from '../engine/index.ts'
import { deployedRevision, type Revision, stackOf, stackRevisions } from '../stack/index.ts'
import { age, parseFormat, printRows } from './output.ts'
import { progressIn, readCluster, shownServices } from './stack-read.ts'

/** One stack, as `ls` shows it. */
export interface StackRow {
  stack: string
  services: number
  /** Services that have all they want. */
  serving: number
  revision: number | null
  /** `deployed`, `deploying`, `failed`, `rolled back`; empty if Muster did not deploy it. */
  state: string
  /** ISO 8601; null for a stack that Muster did not deploy. */
  deployedAt: string | null
}

const stateOf = (revisions: readonly Revision[]): string => {
  const newest = revisions.findLast((each) => each.state !== 'undone')
  if (newest === undefined || newest.state === 'deployed') return newest?.state ?? ''
  const served = deployedRevision(revisions) !== undefined
  return newest.state === 'failed' && served ? 'rolled back' : newest.state
}

/** Lists the stacks of the cluster. */
export const ls = async (options: { format: string }): Promise<void> => {
  const format = parseFormat(options.format)
  await using engine = connectEngine()
  const [view, configs] = await Promise.all([readCluster(engine), engine.listConfigs()])
  const stacks = Map.groupBy(shownServices(view), (each) => stackOf(each))
  stacks.delete('')
  const rows = [...stacks].map(([stack, services]): StackRow => {
    const revisions = stackRevisions(configs, stack)
    const current = deployedRevision(revisions) ?? revisions.at(-1)
    return {
      stack,
      services: services.length,
      serving: services.filter((each) => progressIn(view, each, undefined).arrived).length,
      revision: current?.number ?? null,
      state: stateOf(revisions),
      deployedAt: current === undefined ? null : new Date(current.createdAt).toISOString(),
    }
  })
  printRows(
    rows.sort((a, b) => (a.stack < b.stack ? -1 : 1)),
    [
      { head: 'STACK', cell: (row) => row.stack },
      { head: 'SERVICES', cell: (row) => String(row.services) },
      { head: 'SERVING', cell: (row) => String(row.serving) },
      { head: 'REVISION', cell: (row) => String(row.revision ?? '-') },
      { head: 'STATE', cell: (row) => row.state },
      {
        head: 'DEPLOYED',
        cell: (row) =>
          row.deployedAt === null ? '-' : `${age(Date.now() - Date.parse(row.deployedAt))} ago`,
      },
    ],
    format,
  )
}
