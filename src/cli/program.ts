import { Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import * as agent from './agent.ts'
import * as cluster from './cluster.ts'
import * as clustered from './clustered.ts'
import * as config from './config.ts'
import * as demo from './demo.ts'
import * as lab from './lab.ts'
import * as stack from './stack.ts'
import * as volume from './volume.ts'

/**
 * The whole command tree. Declaring a command is cheap; what it does is imported when it runs, so
 * that `muster --help` answers at once.
 */
export const createProgram = (): Command => {
  const program = new Command('muster')
    .description(packageJson.description)
    .version(packageJson.version)
    .showHelpAfterError('(add --help to see what is possible)')
    .exitOverride()
    // `exec` hands the options after the command on to it.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      `
First steps:
  muster init                    make this server the first of a cluster
  muster join ADDRESS --token T  add another server (muster token shows the command)
  muster up                      deploy compose.yaml of this folder
  muster demo                    see it all on one machine, on virtual hosts`,
    )
  for (const group of [stack, clustered, volume, agent, cluster, config, lab, demo])
    group.register(program)
  return program
}
