import type { Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }

/** `muster agent`: the daemon of a host. A service manager runs it; `muster init` sees to that. */
export const register = (program: Command): void => {
  program
    .command('agent')
    .description('run the agent of this host in the foreground')
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .option('--metrics-address <address>', 'address that metrics are served on', '0.0.0.0')
    .action(async (options: { logLevel: string; metricsAddress: string }) => {
      const { runAgent } = await import('../agent/run.ts')
      const registryAuth = async (image: string) => {
        const { readRegistryAuth } = await import('../stack/index.ts')
        return (await readRegistryAuth([image]))(image)
      }
      await runAgent({ version: packageJson.version, registryAuth, ...options })
    })
}
