/** The vendored corpus: where it is, and how its lines are read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The folder of the corpus; `${CORPUS}` in its data. */
export const CORPUS = new URL('data', import.meta.url).pathname

/** The records of one of its JSON Lines files. Unchecked: the data is part of the repository. */
export const records = <T>(file: string): T[] =>
  readFileSync(join(CORPUS, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T)

/** A real Compose file and what `docker stack deploy` posts for it. */
export interface StackDeploy {
  /** Below the corpus. */
  path: string
  /** False: refused, for the reason in `messages`. */
  ok: boolean
  calls: { op: string; kind: string; body: Record<string, unknown> & { Name: string } }[]
  messages: string
}

export const stackDeploys = (): StackDeploy[] => records('golden/docker-stack-deploy.jsonl')
