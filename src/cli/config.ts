import type { Command } from 'commander'
import type { ConfigOptions } from './config-command.ts'

const collect = (value: string, before: string[]): string[] => [...before, value]

/** `muster config`: the normalised model of the Compose files. */
export const register = (program: Command): void => {
  program
    .command('config')
    .description('print what the Compose files amount to, merged, checked and normalised')
    .argument('[services...]', 'only these and what they depend on')
    .option(
      '-f, --file <file>',
      'a Compose file, again for several; - is standard input',
      collect,
      [],
    )
    .option('-p, --project-name <name>', 'name of the project')
    .option('--project-directory <folder>', 'where relative paths start')
    .option('--profile <profile>', 'activate a profile, again for several; * is all', collect, [])
    .option('--env-file <file>', 'instead of .env, again for several', collect, [])
    .option('--format <format>', 'yaml or json', 'yaml')
    .option('-o, --output <file>', 'write to a file')
    .option('-q, --check', 'only check, print nothing')
    .option('--no-interpolate', 'leave variables as they are written')
    .option('--no-normalize', 'leave out what follows from other keys')
    .option('--no-consistency', 'do not check references')
    .option('--no-path-resolution', 'leave paths relative')
    .option('--no-env-resolution', 'do not read env_file and label_file')
    .option('--services', 'print the names of the services')
    .option('--images', 'print the images')
    .option('--volumes', 'print the names of the volumes')
    .option('--networks', 'print the names of the networks')
    .option('--profiles', 'print the profiles')
    .option('--variables', 'print the variables and their defaults')
    .option('--environment', 'print the variables that files are read with')
    .option('--hash <services>', 'print a hash of the services (comma separated, or *)')
    .action(async (services: string[], options: ConfigOptions) => {
      const { config } = await import('./config-command.ts')
      await config(services, options)
    })
}
