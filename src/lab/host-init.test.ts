import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { hostInitScript, hostsFile } from './host-init.ts'
import { hostNames } from './names.ts'
import { labNetwork } from './network.ts'

const network = labNetwork(5)

test('the script of a host is one that sh can read', () => {
  for (const agent of [true, false]) {
    const script = hostInitScript({ lab: 'lab', host: 'host-2', network, agent })
    execFileSync('sh', ['-n'], { input: script })
    expect(script.includes('--no-agent')).toBe(!agent)
  }
})

test('every host knows every host, the registry and the machine by name', () => {
  const text = hostsFile(network, hostNames(3))
  expect(text).toContain('10.90.5.1 machine\n')
  expect(text).toContain('10.90.5.2 registry\n')
  expect(text).toContain('10.90.5.13 host-3\n')
})
