import type { Command } from 'commander'

const collect = (value: string, before: string[]): string[] => [...before, value]

/** `muster up | plan | down | ls | ps | scale | logs | exec | rollback | events | status | why` */
export const register = (program: Command): void => {
  files(program.command('up'))
    .description('deploy the Compose files of this folder and wait until everything serves')
    .option('-y, --yes', 'do not ask (without a terminal nothing is asked either)')
    .option('-d, --detach', 'do not wait until everything serves')
    .option('--timeout <duration>', 'how long to wait', '5m')
    .action(async (options: UpOptions) => (await import('./up.ts')).up(options))
  files(program.command('plan'))
    .description('show what `muster up` would change')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: PlanOptions) => (await import('./plan.ts')).plan(options))
  program
    .command('down')
    .description('remove a stack; its volumes stay')
    .argument('<stack>')
    .option('-v, --volumes', 'remove its volumes of driver muster, with their data, on all hosts')
    .option('-y, --yes', 'do not ask')
    .option('--timeout <duration>', 'how long to wait for its tasks to stop', '2m')
    .action(async (stack: string, options: DownOptions) =>
      (await import('./down.ts')).down(stack, options),
    )
  program
    .command('ls')
    .description('list the stacks')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await import('./ls.ts')).ls(options))
  program
    .command('ps')
    .description('list services, or the tasks of one')
    .argument('[name]', 'a stack or a service')
    .option('-a, --all', 'tasks that have ended, too')
    .option('--format <format>', 'table or json', 'table')
    .action(async (name: string | undefined, options: PsOptions) =>
      (await import('./ps.ts')).ps(name, options),
    )
  program
    .command('scale')
    .description('change how many replicas services have, and wait until they serve')
    .argument('<service=number...>')
    .option('-d, --detach', 'do not wait')
    .option('--timeout <duration>', 'how long to wait', '5m')
    .action(async (changes: string[], options: ScaleOptions) =>
      (await import('./scale.ts')).scale(changes, options),
    )
  program
    .command('logs')
    .description('show what a service, or one replica of it, has said')
    .argument('<service>', 'SERVICE or SERVICE.SLOT')
    .option('-f, --follow', 'go on, new tasks included')
    .option('-n, --tail <lines>', 'only the last lines of each task')
    .option('--since <time>', 'only since then: 10m, 2026-01-31T12:00:00Z')
    .option('-t, --timestamps', 'show when')
    .action(async (service: string, options: LogsOptions) =>
      (await import('./logs.ts')).logs(service, options),
    )
  program
    .command('exec')
    .description('run a command in a container of a service, on whichever host it runs')
    .argument('<service>', 'SERVICE or SERVICE.SLOT')
    .argument('<command...>', 'with or without -- before it')
    .option('-T, --no-tty', 'no terminal, even if there is one')
    .option('-i, --interactive', 'connect standard input (done anyway on a terminal)')
    .option('-u, --user <user>', 'as this user')
    .option('-w, --workdir <folder>', 'in this folder')
    .option('-e, --env <variable>', 'KEY=VALUE, again for several', collect, [])
    .passThroughOptions()
    .action(async (service: string, command: string[], options: ExecOptions) => {
      const own = command[0] === '--' ? command.slice(1) : command
      await (await import('./exec.ts')).exec(service, own, options)
    })
  program
    .command('rollback')
    .description('go back to the revision that was deployed before')
    .argument('<stack>')
    .option('-y, --yes', 'do not ask')
    .option('-d, --detach', 'do not wait')
    .option('--timeout <duration>', 'how long to wait', '5m')
    .action(async (stack: string, options: RollbackOptions) =>
      (await import('./rollback.ts')).rollback(stack, options),
    )
  program
    .command('events')
    .description('show what happens in the cluster, as it happens')
    .option('--format <format>', 'table, or json: one object a line', 'table')
    .action(async (options: { format: string }) => (await import('./events.ts')).events(options))
  program
    .command('status')
    .description('how the cluster is')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await import('./status.ts')).status(options))
  program
    .command('why')
    .description('say why a service is not as it should be, and what to do')
    .argument('<service>')
    .option('--format <format>', 'table or json', 'table')
    .action(async (service: string, options: { format: string }) =>
      (await import('./why.ts')).why(service, options),
    )
}

/** The options that say which Compose files, and how they are read. */
const files = (command: Command): Command =>
  command
    .option(
      '-f, --file <file>',
      'a Compose file, again for several; - is standard input',
      collect,
      [],
    )
    .option('-n, --name <stack>', 'name of the stack (default: name in the file, or the folder)')
    .option('--project-directory <folder>', 'where relative paths start')
    .option('--profile <profile>', 'activate a profile, again for several; * is all', collect, [])
    .option('--env-file <file>', 'instead of .env, again for several', collect, [])
    .option('--tolerate <key>', 'go on without this key, again for several', collect, [])

export interface FileOptions {
  file: string[]
  name?: string
  projectDirectory?: string
  profile: string[]
  envFile: string[]
  tolerate: string[]
}

export interface PlanOptions extends FileOptions {
  format: string
}

export interface UpOptions extends FileOptions {
  yes?: boolean
  detach?: boolean
  timeout: string
}

export interface DownOptions {
  volumes?: boolean
  yes?: boolean
  timeout: string
}

export interface PsOptions {
  all?: boolean
  format: string
}

export interface ScaleOptions {
  detach?: boolean
  timeout: string
}

export interface LogsOptions {
  follow?: boolean
  tail?: string
  since?: string
  timestamps?: boolean
}

export interface ExecOptions {
  tty: boolean
  interactive?: boolean
  user?: string
  workdir?: string
  env: string[]
}

export interface RollbackOptions {
  yes?: boolean
  detach?: boolean
  timeout: string
}
