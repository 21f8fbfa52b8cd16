import type { Command } from 'commander'

/** `muster init | join | leave | token | node ...` */
export const register = (program: Command): void => {
  program
    .command('init')
    .description('make this server the first of a cluster')
    .option('--advertise-addr <address>', 'the address other hosts reach this one at')
    .option(
      '--heartbeat <duration>',
      'how often hosts report; down after three misses (default 2s)',
    )
    .option('--restart-delay <duration>', 'before a task that ended is replaced (default 1s)')
    .option('--edge-image <image>', 'an image with HAProxy 2.6 or newer')
    .action(async (options: Record<string, string>) => (await load()).init(options))
  program
    .command('join')
    .description('add this server to a cluster')
    .argument('<address>', 'address of any manager')
    .requiredOption('--token <token>', 'what `muster token` prints on a manager')
    .option('--advertise-addr <address>', 'the address other hosts reach this one at')
    .action(async (address: string, options: Record<string, string>) =>
      (await load()).join(address, options),
    )
  program
    .command('leave')
    .description('take this server out of its cluster')
    .option('--force', 'even if it is the last manager: ends the cluster')
    .action(async (options: { force?: boolean }) => (await load()).leave(options))
  program
    .command('token')
    .description('print the commands that add servers')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await load()).token(options))

  const node = program.command('node').description('the hosts of the cluster')
  node
    .command('ls')
    .description('list them')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await load()).nodeLs(options))
  node
    .command('drain')
    .description('move its tasks to other hosts and give it no new ones')
    .argument('<host>')
    .option('--timeout <duration>', 'how long to wait for the tasks to go', '5m')
    .option('--detach', 'do not wait')
    .action(async (host: string, options: { timeout: string; detach?: boolean }) =>
      (await load()).nodeDrain(host, options),
    )
  node
    .command('activate')
    .description('give a drained host tasks again')
    .argument('<host>')
    .action(async (host: string) => (await load()).nodeActivate(host))
  node
    .command('rm')
    .description('forget a host that is gone')
    .argument('<host>')
    .option('--force', 'even if it still answers')
    .action(async (host: string, options: { force?: boolean }) =>
      (await load()).nodeRm(host, options),
    )
  node
    .command('label')
    .description('set (KEY=VALUE) or remove (KEY-) labels; without any, show them')
    .argument('<host>')
    .argument('[changes...]')
    .action(async (host: string, changes: string[]) => (await load()).nodeLabel(host, changes))

  // Started by init and join where no service manager runs.
  program
    .command('supervise', { hidden: true })
    .description('keep the agent of this host running')
    .action(async () => (await load()).superviseAgent())
}

const load = () => import('./cluster-commands.ts')
