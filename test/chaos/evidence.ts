/** What is needed to look into what went wrong, in one folder. */
import { createWriteStream } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectAgent } from '../../src/agent/index.ts'
import { AGENT_SOCKET, messageOf } from '../../src/base/index.ts'
import type { Lab } from '../../src/lab/index.ts'
import { hostFiles } from '../../src/lab/paths.ts'
import { ledgerName } from '../../src/members/member-spec.ts'
import type { MemberLab } from '../member-lab.ts'

/** Logs of agents, engines and members, the ledger, and what Muster says of the service now. */
export const saveEvidence = async (
  { lab, stack, service }: MemberLab,
  folder: string,
): Promise<void> => {
  const cluster = `${stack}_${service}`
  await mkdir(folder, { recursive: true })
  const save = async (name: string, host: string, script: string): Promise<void> => {
    try {
      const { stdout, stderr } = await lab.exec(host, ['sh', '-c', script])
      await writeFile(join(folder, name), `${stdout}\n${stderr}\n`)
    } catch (error) {
      await writeFile(join(folder, name), `${messageOf(error)}\n`)
    }
  }
  for (const host of lab.hosts) {
    await cp(hostFiles(lab.name, host).log, join(folder, host), { recursive: true })
    await save(
      `${host}/containers.log`,
      host,
      `docker ps -a --no-trunc; for id in $(docker ps -aq); do
        docker inspect -f '=== {{.Name}} {{.State.StartedAt}} {{.State.FinishedAt}} {{.State.ExitCode}}' $id
        docker logs -t --tail 3000 $id 2>&1
      done`,
    )
    await save(
      `${host}/volumes.log`,
      host,
      'df /var/lib/muster; for f in /var/lib/muster/volumes/*/volume.json; do echo $f; cat $f; echo; done; ls -la /var/lib/muster/volumes/*/',
    )
    await save(
      `${host}/muster.log`,
      host,
      `muster why ${service}; muster ps ${service}; muster ps ${stack}; docker node ls; docker service ls
      docker config inspect ${ledgerName(cluster)}; docker service ps --no-trunc ${stack}_balancer`,
    )
  }
}

/** Writes what `muster events` says to a file, from whichever host answers, until aborted. */
export const recordEvents = async (lab: Lab, file: string, signal: AbortSignal): Promise<void> => {
  const out = createWriteStream(file)
  for (let turn = 0; !signal.aborted; turn++) {
    const host = lab.hosts[turn % lab.hosts.length] ?? ''
    try {
      const agent = connectAgent(lab.hostPath(host, AGENT_SOCKET))
      for await (const event of agent.events(signal)) {
        out.write(`${JSON.stringify({ from: host, ...event })}\n`)
      }
    } catch (error) {
      out.write(`${JSON.stringify({ from: host, error: messageOf(error) })}\n`)
      await delay(500)
    }
  }
  out.end()
}
