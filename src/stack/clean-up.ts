import { MusterError, ignoreMissing } from '../base/index.ts'
import type { Engine } from '../engine/index.ts'
import { stackRevisions } from './current.ts'
import { leftovers } from './revisions.ts'

/** Removes revisions beyond the newest ten and the files that nothing refers to. */
export const cleanUp = async (engine: Engine, stack: string): Promise<void> => {
  const [configs, secrets, services] = await Promise.all([
    engine.listConfigs(),
    engine.listSecrets(),
    engine.listServices(),
  ])
  const used = new Set(
    services.flatMap((each) => {
      const container = each.Spec.TaskTemplate?.ContainerSpec
      return [
        ...(container?.Configs ?? []).map((file) => `config ${file.ConfigName}`),
        ...(container?.Secrets ?? []).map((file) => `secret ${file.SecretName}`),
      ]
    }),
  )
  const revisions = stackRevisions(configs, stack)
  const rest = leftovers({ stack, revisions, configs, secrets, used })
  const stillUsed = async (removal: Promise<void>) => {
    try {
      await ignoreMissing(removal)
    } catch (error) {
      // A task that is still stopping holds it; the next deployment clears it away.
      if (!(error instanceof MusterError) || error.code !== 'ENGINE_REFUSED') throw error
    }
  }
  await Promise.all([
    ...rest.revisions.map((each) => stillUsed(engine.removeConfig(each.id))),
    ...rest.configs.map((id) => stillUsed(engine.removeConfig(id))),
    ...rest.secrets.map((id) => stillUsed(engine.removeSecret(id))),
  ])
}
