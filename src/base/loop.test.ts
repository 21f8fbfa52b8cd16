import { describe, expect, it } from 'vitest'
import type { Clock } from './clock.ts'
import { exponentialBackoff, Loop } from './loop.ts'

/** Time that goes on when it is told to. */
class ManualClock implements Clock {
  #now = 0
  #sleepers: { at: number; wake: () => void }[] = []

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#sleepers.push({ at: this.#now + ms, wake: resolve })
      signal?.addEventListener('abort', () => reject(new Error('aborted')))
    })
  }

  async pass(ms: number): Promise<void> {
    this.#now += ms
    const due = this.#sleepers.filter(({ at }) => at <= this.#now)
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#now)
    for (const { wake } of due) wake()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const setUp = (run: (n: number) => Promise<void>) => {
  const clock = new ManualClock()
  const errors: unknown[] = []
  let runs = 0
  const loop = new Loop({
    run: () => run(++runs),
    onError: (error) => errors.push(error),
    clock,
  })
  return { loop, clock, errors, runs: () => runs }
}

describe('Loop', () => {
  it('runs once for wakes that come together, and once more for those during a run', async () => {
    const release: (() => void)[] = []
    const { loop, runs } = setUp(() => new Promise((resolve) => release.push(resolve)))
    loop.wake()
    loop.wake()
    await Promise.resolve()
    expect(runs()).toBe(1)
    loop.wake()
    loop.wake()
    expect(runs()).toBe(1)
    release[0]?.()
    await new Promise((resolve) => setImmediate(resolve))
    expect(runs()).toBe(2)
    release[1]?.()
    await loop.settled()
    expect(runs()).toBe(2)
    expect(loop.busy).toBe(false)
  })

  it('tries again after a failure, later each time, and at once when woken', async () => {
    const { loop, clock, errors, runs } = setUp((n) =>
      n < 4 ? Promise.reject(new Error(`no ${n}`)) : Promise.resolve(),
    )
    loop.wake()
    await loop.settled()
    await clock.pass(99)
    expect(runs()).toBe(1)
    await clock.pass(1)
    expect(runs()).toBe(2)
    loop.nudge()
    await clock.pass(100)
    expect(runs()).toBe(2)
    loop.wake()
    await loop.settled()
    expect(runs()).toBe(3)
    await clock.pass(1000)
    expect(runs()).toBe(4)
    expect(errors).toHaveLength(3)
    await clock.pass(100_000)
    expect(runs()).toBe(4)
  })

  it('keeps the earliest of its alarms', async () => {
    const { loop, clock, runs } = setUp(() => Promise.resolve())
    loop.wakeIn(500)
    loop.wakeIn(100)
    loop.wakeIn(300)
    await clock.pass(100)
    expect(runs()).toBe(1)
    await clock.pass(1000)
    expect(runs()).toBe(1)
  })

  it('does nothing once it is stopped', async () => {
    const { loop, clock, runs } = setUp(() => Promise.resolve())
    loop.wakeIn(100)
    await loop.stop()
    loop.wake()
    loop.wakeIn(10)
    await clock.pass(1000)
    expect(runs()).toBe(0)
  })
})

describe('exponentialBackoff', () => {
  it('doubles from 100 ms to 10 s', () => {
    expect([1, 2, 3, 7, 8, 100].map(exponentialBackoff)).toEqual([
      100, 200, 400, 6400, 10_000, 10_000,
    ])
  })
})
