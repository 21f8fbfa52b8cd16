import { expect, test } from 'vitest'
import { takenWords } from './stack-agent.ts'

const usage = (taken: number[]) => ({
  cpu: 0,
  memory: { used: 0, total: 1 },
  tasks: 0,
  taken,
  uptime: 1,
  version: '1',
})

test('ports that others have are named with their hosts; silent hosts say nothing', () => {
  const hosts = [
    { name: 'host-1', usage: usage([22, 80]) },
    { name: 'host-2', usage: usage([80, 8080]) },
    { name: 'host-3', usage: null },
  ]
  expect(takenWords(hosts, [80, 80, 8080, 443])).toEqual([
    'port 80 of host-1, host-2 is taken by another process',
    'port 8080 of host-2 is taken by another process',
  ])
})
