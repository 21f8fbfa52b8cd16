import type { Command } from 'commander'

/** `muster demo` */
export const register = (program: Command): void => {
  program
    .command('demo')
    .description('show it all on this machine: three virtual hosts, a stack, and a power cut')
    .option('--name <lab>', 'name of the lab it uses and leaves running', 'lab')
    .action(async (options: { name: string }) => (await import('./demo-run.ts')).demo(options))
}
