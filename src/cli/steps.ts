/** A list of steps a person watches: each says what it does while it does it, then how it went. */
import { createLogUpdate } from 'log-update'
import { styleText } from 'node:util'

export interface Step {
  /** What is being done right now, shown until the next note. */
  note(text: string): void
}

const REDRAW_MS = 100

/**
 * Runs one step. `work` may return a line to show as its result in place of `title`. On a terminal
 * the line is rewritten in place; elsewhere the beginning and the end are one plain line each.
 */
export const runStep = async (
  title: string,
  work: (step: Step) => Promise<string | void>,
): Promise<void> => {
  const began = performance.now()
  const seconds = () => `${Math.round((performance.now() - began) / 1000)}s`
  const live = process.stdout.isTTY && process.env.CI === undefined
  const update = createLogUpdate(process.stdout)
  let text = ''
  const draw = () => update(`  … ${title}  ${seconds()}  ${styleText('dim', text)}`)
  const timer = live ? setInterval(draw, REDRAW_MS) : undefined
  if (!live) process.stdout.write(`  … ${title}\n`)
  try {
    const result = await work({
      note: (next) => {
        if (!live && next !== text) process.stdout.write(`      ${next}\n`)
        text = next
      },
    })
    if (live) update.clear()
    process.stdout.write(`  ${styleText('green', '✔')} ${result ?? title}  ${seconds()}\n`)
  } catch (error) {
    if (live) update.clear()
    process.stdout.write(`  ${styleText('red', '✖')} ${title}  ${seconds()}\n`)
    throw error
  } finally {
    clearInterval(timer)
  }
}
