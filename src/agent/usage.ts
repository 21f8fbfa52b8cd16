import { readFile } from 'node:fs/promises'
import type { Usage } from '../catalog/index.ts'

/** Processor time since boot, in any unit. */
interface CpuTime {
  busy: number
  total: number
}

/** First line of /proc/stat. */
export const parseCpuTime = (stat: string): CpuTime => {
  const [, ...fields] = (stat.split('\n')[0] ?? '').split(/\s+/)
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  const times = fields.slice(0, 8).map(Number)
  const total = times.reduce((sum, time) => sum + time, 0)
  return { total, busy: total - (times[3] ?? 0) - (times[4] ?? 0) }
}

/** Bytes, of /proc/meminfo. Caches count as free, as far as the kernel would give them up. */
export const parseMemory = (meminfo: string): Usage['memory'] => {
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(meminfo)?.[1] ?? 0)
  const total = kib('MemTotal') * 1024
  return { total, used: total - kib('MemAvailable') * 1024 }
}

/** Measures how busy the host is between one call and the next. */
export const usageMeter = (): (() => Promise<Pick<Usage, 'cpu' | 'memory'>>) => {
  let last: CpuTime = { busy: 0, total: 0 }
  return async () => {
    const [stat, meminfo] = await Promise.all([
      readFile('/proc/stat', 'utf8'),
      readFile('/proc/meminfo', 'utf8'),
    ])
    const now = parseCpuTime(stat)
    const total = now.total - last.total
    const cpu = total > 0 ? Math.min(1, Math.max(0, (now.busy - last.busy) / total)) : 0
    last = now
    return { cpu, memory: parseMemory(meminfo) }
  }
}
