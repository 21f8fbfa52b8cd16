/** Ways between hosts that the engine has forgotten, on real engines. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../src/base/index.ts'
import type { Lab } from '../src/lab/index.ts'
import { bringUp, ROOT } from './member-lab.ts'

let lab: Lab

beforeAll(async () => {
  const images = [{ name: 'hello/app:1', context: `${ROOT}examples/hello/app` }]
  lab = await bringUp({ name: 'overlay-test', hosts: 2, images })
})

afterAll(async () => {
  await lab?.down()
})

const on = async (host: string, script: string): Promise<string> => {
  const { stdout, stderr, exitCode } = await lab.exec(host, ['sh', '-c', script])
  expect(exitCode, stderr).toBe(0)
  return stdout.trim()
}

/** Process id and address of the container on a host. */
const container = async (host: string): Promise<{ pid: string; address: string }> => {
  const format = '{{.State.Pid}} {{(index .NetworkSettings.Networks "ways_default").IPAddress}}'
  const filter = 'label=com.docker.swarm.service.name=ways_web'
  const found = await on(host, `docker inspect -f '${format}' $(docker ps -q --filter ${filter})`)
  const [pid = '', address = ''] = found.split(' ')
  return { pid, address }
}

describe('an overlay network', () => {
  it('gets back a way that the engine has lost', async () => {
    const web = {
      image: 'registry:5000/hello/app:1',
      deploy: { mode: 'global' },
    }
    const input = JSON.stringify({ name: 'ways', services: { web } })
    const up = await lab.exec('host-1', ['muster', 'up', '-f', '-', '--yes'], { input })
    expect(up.exitCode, up.stdout + up.stderr).toBe(0)
    const here = await container('host-1')
    const { address } = await container('host-2')
    const reaches = async (): Promise<boolean> => {
      const connect = `timeout 1 bash -c ': </dev/tcp/${address}/8080' 2>/dev/null && echo yes || echo no`
      return (await on('host-1', `nsenter --net=/proc/${here.pid}/ns/net ${connect}`)) === 'yes'
    }
    expect(await reaches()).toBe(true)

    const id = (await on('host-1', "docker network inspect -f '{{.Id}}' ways_default")).slice(0, 10)
    const mac = address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join(':')
    const inNetwork = `nsenter --net=$(ls -d /var/run/docker/netns/*-${id})`
    await on('host-1', `${inNetwork} ip neigh del ${address} dev vxlan0`)
    await on('host-1', `${inNetwork} bridge fdb del 02:42:${mac} dev vxlan0`)
    // What containers themselves remember of each other.
    await on('host-1', `nsenter --net=/proc/${here.pid}/ns/net ip neigh flush all`)
    expect(await reaches()).toBe(false)

    await until('the way to be back', reaches, { timeoutMs: 30_000, intervalMs: 200 })
    const log = await on('host-1', "grep 'overlay network' /var/log/muster/agent.log")
    expect(log).toContain(address)
  }, 120_000)
})
