/**
 * The processes of a lab. Each carries a mark in its environment, so that they are found again
 * after a crash, and a process id that was used again is never taken for one of them.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { MusterError } from '../base/index.ts'

const MARK = 'MUSTER_LAB_PROCESS'

/**
 * What a process is to its lab: the registry, a host's first process, what a command runs to change
 * something (helper) or only to look (reader).
 */
export type Role = 'registry' | 'helper' | 'reader' | `host-${number}` | 'builder'

/** Environment of a process that belongs to a lab. */
export const markerEnv = (lab: string, role: Role): Record<string, string> => ({
  [MARK]: `${lab}/${role}`,
})

/** A process with a mark. */
export interface LabProcess {
  pid: number
  role: string
  /** Process 1 of a process namespace of its own: with it, everything inside ends. */
  init: boolean
}

/** All marked processes of a lab. */
export const labProcesses = (lab: string): LabProcess[] => {
  const found: LabProcess[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const role = roleIn(lab, readIfThere(`/proc/${entry}/environ`))
    if (role === undefined) continue
    const status = readIfThere(`/proc/${entry}/status`)
    // Zombies have ended already.
    if (status === '' || /^State:\s+[ZX]/m.test(status)) continue
    found.push({ pid: Number(entry), role, init: isInit(status) })
  }
  return found
}

const roleIn = (lab: string, environ: string): string | undefined => {
  const mark = `${MARK}=${lab}/`
  return environ
    .split('\0')
    .find((entry) => entry.startsWith(mark))
    ?.slice(mark.length)
}

/** First process of a namespace directly below ours: containers are one level further down. */
const isInit = (status: string): boolean => {
  const pids = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? []
  return pids.length === 2 && pids[1] === '1'
}

/** Processes come and go while one reads about them. */
const readIfThere = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return ''
    throw error
  }
}

/** The first process of a host, if the host runs. */
export const hostInit = (lab: string, host: string): number | undefined =>
  labProcesses(lab).find((process) => process.init && process.role === host)?.pid

/** The end of a namespace's first process ends all others: together with it, not one by one. */
export const initFirst = (processes: readonly LabProcess[]): LabProcess[] =>
  [...processes].sort((a, b) => Number(b.init) - Number(a.init))

/** SIGKILLs processes and waits until they are gone. */
export const killAll = async (processes: readonly LabProcess[]): Promise<void> => {
  for (const { pid } of processes) killIfThere(pid)
  const deadline = performance.now() + 15_000
  for (const { pid, role } of processes) {
    while (!ended(pid)) {
      if (performance.now() > deadline) {
        throw new MusterError('TIMEOUT', `Process ${pid} (${role}) does not end.`, {
          hint: 'It hangs in the kernel; a restart of the machine ends it.',
        })
      }
      await delay(10)
    }
  }
}

const killIfThere = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

const ended = (pid: number): boolean => {
  const status = readIfThere(`/proc/${pid}/status`)
  return status === '' || /^State:\s+[ZX]/m.test(status)
}
