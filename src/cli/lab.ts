import type { Command } from 'commander'

/** `muster lab ...` */
export const register = (program: Command): void => {
  const lab = program
    .command('lab')
    .description('virtual hosts on this machine, to try things and to rehearse failures')
  const named = (command: Command): Command => command.option('--name <name>', 'which lab', 'lab')

  named(lab.command('up'))
    .description('bring a lab up: make or heal its hosts, add missing ones')
    .option('--hosts <count>', 'how many hosts (default 3, or what it has)')
    .option('--no-agent', 'without `muster agent` on the hosts')
    .action(async (options: LabUpOptions) => (await load()).up(options))
  named(lab.command('exec'))
    .description('run a command as a host would see it')
    .argument('<host>')
    .argument('<command...>', 'after --')
    .action(async (host: string, command: string[], options: Named) =>
      (await load()).exec(host, command, options),
    )
  for (const [verb, what] of [
    ['cut', 'take a host off the network; it goes on running'],
    ['heal', 'put a host that was cut back on the network'],
    ['kill', 'pull the power cord of a host'],
    ['start', 'switch a host on, with its disk as it was'],
  ] as const) {
    named(lab.command(verb))
      .description(what)
      .argument('<host>')
      .action(async (host: string, options: Named) => (await load()).power(verb, host, options))
  }
  named(lab.command('build'))
    .description("build a folder's Dockerfile into the lab's registry")
    .argument('<folder>')
    .requiredOption('-t, --tag <name>', 'as in web:1; hosts pull it as registry:5000/web:1')
    .action(async (folder: string, options: Named & { tag: string }) =>
      (await load()).build(folder, options),
    )
  named(lab.command('down'))
    .description('remove a lab and everything it left')
    .option('--purge', 'also the images that were made for labs')
    .action(async (options: Named & { purge?: boolean }) => (await load()).down(options))
  lab
    .command('ls')
    .description('list labs and their hosts')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await load()).ls(options))

  program
    .command('lab-host', { hidden: true })
    .requiredOption('--lab <name>')
    .requiredOption('--host <name>')
    .option('--no-agent')
    .action(async (options: { lab: string; host: string; agent: boolean }) =>
      (await load()).host(options),
    )
}

export interface Named {
  name: string
}

export interface LabUpOptions extends Named {
  hosts?: string
  agent: boolean
}

const load = () => import('./lab-commands.ts')
