import { connectAgent } from '../agent/index.ts'
import { MusterError } from '../base/index.ts'
import {
  connectEngine,
  type Engine,
  type ExecSession,
  type Service,
  type Task,
} from '../engine/index.ts'
import {
  findService,
  isWanted,
  newestFirst,
  readLedgers,
  type ServiceRef,
  taskServices,
} from '../stack/index.ts'
import type { ExecOptions } from './stack.ts'

/** Runs a command in a task's container, on whichever host; its exit status becomes ours. */
export const exec = async (
  name: string,
  command: string[],
  options: ExecOptions,
): Promise<void> => {
  const task = await findTask(name)
  const terminal = process.stdin.isTTY && process.stdout.isTTY
  // Without a terminal Node leaves isTTY away altogether.
  const tty = options.tty && (terminal ?? false)
  const session = await connectAgent().exec({
    host: task.NodeID ?? '',
    container: task.Status?.ContainerStatus?.ContainerID ?? '',
    command,
    tty,
    // A pipe is passed on too, as `docker compose exec -T` does; a closed input is not waited for.
    stdin: tty || options.interactive === true || !process.stdin.isTTY,
    env: options.env,
    user: options.user ?? null,
    workingDir: options.workdir ?? null,
  })
  process.exitCode = await attach(session, tty)
}

const findTask = async (name: string): Promise<Task> => {
  await using engine = connectEngine()
  const all = await engine.listServices()
  const ref = findService(all, name)
  const running = await runningTasks(engine, ref, taskServices(ref.service, all))
  const task = running[0]
  if (task !== undefined) return task
  const full = ref.service.Spec.Name
  throw new MusterError(
    'NOT_FOUND',
    ref.slot === undefined
      ? `No container of ${full} runs.`
      : `${full} has no running replica ${ref.slot}.`,
    { hint: `See what there is: muster ps ${full}` },
  )
}

/** The member that takes the writes first, then by member or slot. */
const runningTasks = async (
  engine: Engine,
  { service, slot }: ServiceRef,
  services: readonly Service[],
): Promise<Task[]> => {
  if (services.length === 0) return []
  const clustered = services[0] !== service
  const ledger = clustered ? (await readLedgers(engine)).get(service.Spec.Name) : undefined
  const names = new Map(services.map((each) => [each.ID, each.Spec.Name]))
  const rank = (task: Task): number =>
    names.get(task.ServiceID) === ledger?.writer ? -1 : (task.Slot ?? 0)
  return (
    newestFirst(await engine.listTasks({ service: [...names.keys()] }))
      .filter((task) => slot === undefined || task.Slot === slot)
      // A container whose health check has not passed yet is `starting`, and worth a look inside.
      .filter((task) => ['running', 'starting'].includes(task.Status?.State ?? ''))
      .filter((task) => isWanted(task) && task.Status?.ContainerStatus?.ContainerID)
      .sort((a, b) => rank(a) - rank(b))
  )
}

/** Connects our standard streams, and the size of the terminal, until the command has ended. */
const attach = async (session: ExecSession, tty: boolean): Promise<number> => {
  const { stdin, stdout, stderr } = process
  session.stdout.pipe(stdout, { end: false })
  session.stderr.pipe(stderr, { end: false })
  // The command may end before it has read all that we have.
  session.stdin.on('error', () => undefined)
  stdin.pipe(session.stdin)
  const resize = () => {
    void session
      .resize({ columns: stdout.columns, rows: stdout.rows })
      // A command that has just ended has no size.
      .catch(() => undefined)
  }
  if (tty) {
    stdin.setRawMode(true)
    stdout.on('resize', resize)
    resize()
  }
  try {
    return await session.exited
  } finally {
    if (tty) stdin.setRawMode(false)
    stdout.off('resize', resize)
    stdin.unpipe(session.stdin)
    stdin.pause()
    // Otherwise an open standard input keeps the process alive. A file has nothing to let go of.
    if ('unref' in stdin) stdin.unref()
    session.stdin.destroy()
  }
}
