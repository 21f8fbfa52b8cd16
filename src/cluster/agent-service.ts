import { existsSync } from 'node:fs'
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { spawn } from 'node:child_process'
import { execa } from 'execa'
import {
  AGENT_SOCKET,
  type Clock,
  LOG_DIR,
  MusterError,
  RUN_DIR,
  messageOf,
  until,
} from '../base/index.ts'

/** How the agent of this host is kept running. */
export type AgentService = 'systemd' | 'background' | 'running already'

const UNIT_FILE = '/etc/systemd/system/muster-agent.service'
const PID_FILE = `${RUN_DIR}/supervisor.pid`
const START_LIMIT_MS = 15_000

/**
 * The systemd unit; `command` is the absolute path of `muster`. It starts before Docker, which asks
 * its volume drivers for their volumes, and waits for one that is not there. Docker may restart
 * without it.
 */
export const systemdUnit = (command: string): string => `[Unit]
Description=Muster agent: discovery, edge and virtual IPs of this host
Documentation=file:///usr/share/doc/muster
Wants=docker.service
Before=docker.service

[Service]
ExecStart=${command} agent
Restart=always
RestartSec=500ms
KillMode=process
MemoryMax=512M

[Install]
WantedBy=multi-user.target
`

/** Makes sure that the agent runs now and after a reboot (where a service manager exists). */
export const ensureAgent = async (command: string, clock: Clock): Promise<AgentService> => {
  if (existsSync('/run/systemd/system')) {
    await writeFile(UNIT_FILE, systemdUnit(command))
    await systemctl('daemon-reload')
    await systemctl('enable', '--now', 'muster-agent.service')
    await waitForSocket(clock)
    return 'systemd'
  }
  if (await answers(AGENT_SOCKET)) return 'running already'
  await startInBackground(command)
  await waitForSocket(clock)
  return 'background'
}

/**
 * Stops the agent and, where systemd runs, takes its unit away. False when something else keeps it
 * running, which then is left alone.
 */
export const removeAgent = async (clock: Clock): Promise<boolean> => {
  if (existsSync(UNIT_FILE)) {
    await systemctl('disable', '--now', 'muster-agent.service')
    await rm(UNIT_FILE, { force: true })
    await systemctl('daemon-reload')
    return true
  }
  const pid = await supervisorPid()
  if (pid === undefined) return false
  process.kill(pid, 'SIGTERM')
  await until(
    `the agent's supervisor (process ${pid}) to stop`,
    () => !existsSync(`/proc/${pid}`),
    {
      timeoutMs: START_LIMIT_MS,
      intervalMs: 50,
      clock,
      hint: `Its log is ${LOG_DIR}/supervisor.log.`,
    },
  )
  await rm(PID_FILE, { force: true })
  return true
}

/** The supervisor that `ensureAgent` left behind, if that very process still runs. */
const supervisorPid = async (): Promise<number | undefined> => {
  if (!existsSync(PID_FILE)) return undefined
  const pid = Number((await readFile(PID_FILE, 'utf8')).trim())
  if (!Number.isInteger(pid) || pid <= 1 || !existsSync(`/proc/${pid}/cmdline`)) return undefined
  // A pid is used again after a reboot: it counts only if it is ours.
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  return command.includes('supervise') ? pid : undefined
}

const startInBackground = async (command: string): Promise<void> => {
  await mkdir(LOG_DIR, { recursive: true })
  await mkdir(RUN_DIR, { recursive: true })
  const log = await open(`${LOG_DIR}/supervisor.log`, 'a')
  try {
    const child = spawn(command, ['supervise'], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    })
    if (child.pid === undefined) {
      throw new MusterError('HOST_SETUP', `Could not start ${command}.`)
    }
    await writeFile(PID_FILE, `${child.pid}\n`)
    child.unref()
  } finally {
    await log.close()
  }
}

const systemctl = async (...args: string[]): Promise<void> => {
  try {
    await execa('systemctl', args, { timeout: 30_000 })
  } catch (cause) {
    throw new MusterError('HOST_SETUP', `systemctl ${args.join(' ')} failed: ${messageOf(cause)}`, {
      cause,
      hint: 'Look at: journalctl -u muster-agent',
    })
  }
}

const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.setTimeout(1000)
    const end = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
    socket.once('timeout', () => end(false))
  })

const waitForSocket = async (clock: Clock): Promise<void> => {
  const limit = clock.now() + START_LIMIT_MS
  while (!(await answers(AGENT_SOCKET))) {
    if (clock.now() > limit) {
      throw new MusterError(
        'AGENT_UNREACHABLE',
        'The agent of this host did not start within 15 s.',
        {
          hint: `Its log is ${LOG_DIR}/agent.log, or journalctl -u muster-agent.`,
        },
      )
    }
    await clock.sleep(50)
  }
}
