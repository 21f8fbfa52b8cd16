/** Commands that a container's agent runs in it right after it has started. */
import { anyText, bool, type Decode, fallback, list, nullable, object } from './decode.ts'

/** One entry of the label `muster.post_start`. */
export interface StartHook {
  command: string[]
  /** `NAME=value` each. */
  env: string[]
  /** Null: as the container's own. */
  user: string | null
  workingDir: string | null
  privileged: boolean
}

const word = anyText(131_072)

export const startHooks: Decode<StartHook[]> = list(
  object({
    command: list(word, 10_000),
    env: fallback(list(word, 10_000), []),
    user: fallback(nullable(anyText(256)), null),
    workingDir: fallback(nullable(anyText(4096)), null),
    privileged: fallback(bool, false),
  }),
  100,
)
