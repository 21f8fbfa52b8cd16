import { expect, it } from 'vitest'
import { emptyCatalog } from '../catalog/index.ts'
import { sampleEndpoint, sampleHost } from '../catalog/samples.ts'
import { departureOf } from './departure.ts'

const catalog = {
  ...emptyCatalog('test'),
  hosts: new Map([
    ['up', sampleHost('up')],
    ['quiet', sampleHost('quiet', { state: 'agentless' })],
    ['lost', sampleHost('lost', { state: 'suspected' })],
  ]),
  endpoints: new Map([
    ['sick', sampleEndpoint('sick', { host: 'up', state: 'unhealthy' })],
    ['unheard', sampleEndpoint('unheard', { host: 'quiet' })],
    ['lost', sampleEndpoint('lost', { host: 'lost' })],
  ]),
}

it.each([
  ['sick', 'leaving'],
  ['unheard', 'leaving'],
  ['gone', 'leaving'],
  ['lost', 'lost'],
])('an endpoint that is %s is %s', (id, departure) => {
  expect(departureOf(catalog, id)).toBe(departure)
})
