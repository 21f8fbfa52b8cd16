import type { Command } from 'commander'

/** Commands for clustered services. */
export const register = (program: Command): void => {
  program
    .command('sql')
    .description('a SQL shell in the member that takes the writes, as its administrator')
    .argument('<service>', 'SERVICE, or SERVICE.N for one member')
    .argument('[statement]', 'run this instead of a shell')
    .action(async (service: string, statement: string | undefined) =>
      (await import('./sql.ts')).sql(service, statement),
    )
  program
    .command('switchover')
    .description('let another member take the writes, before you work on its server')
    .argument('<service>')
    .option('--to <member>', 'who is to take them, like db-2 (default: the best of the others)')
    .action(async (service: string, options: SwitchoverOptions) =>
      (await import('./switchover.ts')).switchover(service, options),
    )
  program
    .command('recover')
    .description('say whose copy of the data is the truth, when Muster cannot know it')
    .argument('<service>')
    .option(
      '--from <member>',
      'the member whose copy is taken, like db-2 (default: the newest of all)',
    )
    .option('--snapshot', 'take a snapshot, not data')
    .option('-y, --yes', 'do not ask')
    .option('--timeout <duration>', 'how long to wait until it serves', '5m')
    .option('-d, --detach', 'do not wait')
    .action(async (service: string, options: RecoverOptions) =>
      (await import('./recover.ts')).recover(service, options),
    )
}

export interface SwitchoverOptions {
  to?: string
}

export interface RecoverOptions {
  from?: string
  snapshot?: boolean
  yes?: boolean
  timeout: string
  detach?: boolean
}
