import type { Command } from 'commander'

/** `muster volume ls | inspect | rm | prune` */
export const register = (program: Command): void => {
  const volume = program.command('volume').description('the volumes of all hosts')
  volume
    .command('ls')
    .description('list them: whose they are, how large, and which nobody needs any more')
    .option('--format <format>', 'table or json', 'table')
    .action(async (options: { format: string }) => (await load()).volumeLs(options))
  volume
    .command('inspect')
    .description('show all that is known of one, on every host that has it')
    .argument('<volume>', 'VOLUME or HOST/VOLUME')
    .option('--format <format>', 'table or json', 'table')
    .action(async (name: string, options: { format: string }) =>
      (await load()).volumeInspect(name, options),
    )
  volume
    .command('rm')
    .description('remove volumes and their data; what a container has is refused')
    .argument('<volume...>', 'VOLUME or HOST/VOLUME')
    .option('-y, --yes', 'do not ask')
    .option('--force', 'even what a service may need again')
    .action(async (names: string[], options: VolumeRmOptions) =>
      (await load()).volumeRm(names, options),
    )
  volume
    .command('prune')
    .description('remove the volumes that nobody needs any more')
    .option('-y, --yes', 'do not ask')
    .action(async (options: { yes?: boolean }) => (await load()).volumePrune(options))
}

export interface VolumeRmOptions {
  yes?: boolean
  force?: boolean
}

const load = () => import('./volume-commands.ts')
