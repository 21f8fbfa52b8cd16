import { LABEL, MusterError } from '../base/index.ts'
import { headOf } from '../catalog/index.ts'
import { connectEngine } from '../engine/index.ts'
import { recipeChosen } from '../recipes/index.ts'
import { findService } from '../stack/index.ts'
import { exec } from './exec.ts'

/** A SQL shell in the member that takes the writes (or in the one that is named). */
export const sql = async (name: string, statement: string | undefined): Promise<void> => {
  const command = await shellOf(name, statement ?? null)
  await exec(name, command, { tty: statement === undefined, env: [] })
}

const shellOf = async (name: string, statement: string | null): Promise<string[]> => {
  await using engine = connectEngine()
  const services = await engine.listServices()
  const { service } = findService(services, name)
  const cluster = service.Spec.Labels?.[LABEL.cluster] ?? service.Spec.Name
  const head = services.map((each) => headOf(each.Spec)).find((each) => each?.cluster === cluster)
  const shell = head ? (await recipeChosen(head.choice)).verbs.shell : undefined
  if (shell !== undefined) return shell(statement)
  throw new MusterError(
    'USAGE',
    head
      ? `The recipe ${head.choice.name} of ${cluster} has no SQL shell.`
      : `${service.Spec.Name} has no recipe, so Muster does not know its SQL shell.`,
    { hint: `Run the client yourself: muster exec ${name} COMMAND` },
  )
}
