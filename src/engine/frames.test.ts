import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Frame, readFrames, readJsonLines, readLogLines } from './frames.ts'

const frame = (stream: number, data: string): Buffer => {
  const payload = Buffer.from(data)
  const header = Buffer.alloc(8)
  header.writeUInt8(stream, 0)
  header.writeUInt32BE(payload.length, 4)
  return Buffer.concat([header, payload])
}

/** Cuts bytes at arbitrary places, as a network does. */
const cutAt = (bytes: Buffer, places: number[]): Buffer[] => {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  )
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end))
}

async function* stream<T>(items: T[]): AsyncGenerator<T> {
  yield* items
}

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('readFrames', () => {
  it('takes frames apart wherever the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(1, 2), fc.string())),
        fc.array(fc.nat()),
        async (frames, places) => {
          const bytes = Buffer.concat(frames.map(([kind, data]) => frame(kind, data)))
          const read = await collect(readFrames(stream(cutAt(bytes, places))))
          expect(read.map(({ stream: kind, data }) => [kind, data.toString()])).toEqual(
            frames.map(([kind, data]) => [kind === 2 ? 'stderr' : 'stdout', data]),
          )
        },
      ),
    )
  })

  it('throws what the log broker of a cluster reports', async () => {
    const bytes = Buffer.concat([frame(1, 'a'), frame(3, 'node is not available\n')])
    await expect(collect(readFrames(stream([bytes])))).rejects.toThrow('node is not available')
  })
})

describe('readLogLines', () => {
  it('gives each stream its own lines, however they are spread over frames', async () => {
    const line = fc.string().map((text) => text.replace(/[\r\n]/g, ''))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), line)),
        fc.array(fc.nat()),
        async (lines, places) => {
          const frames = lines.flatMap(([kind, text]): Frame[] =>
            cutAt(Buffer.from(`${text}\n`), places).map((data) => ({ stream: kind, data })),
          )
          const read = await collect(readLogLines(stream(frames)))
          expect(read).toEqual(lines.map(([kind, text]) => ({ stream: kind, text })))
        },
      ),
    )
  })

  it('keeps a last line without an end, and drops the carriage return of a terminal', async () => {
    const frames: Frame[] = [
      { stream: 'stdout', data: Buffer.from('one\r\ntw') },
      { stream: 'stderr', data: Buffer.from('oops') },
      { stream: 'stdout', data: Buffer.from('o') },
    ]
    expect(await collect(readLogLines(stream(frames)))).toEqual([
      { stream: 'stdout', text: 'one' },
      { stream: 'stdout', text: 'two' },
      { stream: 'stderr', text: 'oops' },
    ])
  })
})

describe('readJsonLines', () => {
  it('reads values wherever the bytes are cut, even inside a letter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))),
        fc.array(fc.nat()),
        async (values, places) => {
          const text = values.map((value) => `${JSON.stringify(value)}\n`).join('')
          const chunks = cutAt(Buffer.from(text), places)
          const read = await collect(readJsonLines(stream(chunks)))
          expect(JSON.stringify(read)).toEqual(JSON.stringify(values))
        },
      ),
    )
  })
})
