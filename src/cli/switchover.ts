import { connectEngine } from '../engine/index.ts'
import { handOver } from '../members/index.ts'
import type { SwitchoverOptions } from './clustered.ts'
import { ledgerNamed, memberNamed, whoAmI } from './members.ts'

/** Lets another member take the writes. */
export const switchover = async (name: string, options: SwitchoverOptions): Promise<void> => {
  await using engine = connectEngine()
  const { stored } = await ledgerNamed(engine, name)
  const wanted = options.to === undefined ? undefined : memberNamed(stored.ledger, options.to)
  const { from, to } = await handOver(engine, {
    stored,
    to: wanted,
    by: whoAmI(),
    now: Date.now(),
  })
  process.stdout.write(`${to} takes the writes of ${stored.ledger.cluster} (before: ${from}).\n`)
}
