import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { SeenServer, View } from '../rendered/contract.ts'
import { template } from './index.ts'
import { parseTemplate, renderTemplate } from './mustache.ts'

const server = (name: string, address: string, over: Partial<SeenServer> = {}): SeenServer => ({
  name,
  address,
  host: 'host-1',
  writer: false,
  backup: false,
  ...over,
})
const view = (services: Record<string, SeenServer[]>): View => ({
  service: 'shop_front',
  self: { name: 'front.2.b', slot: 2, host: 'host-7' },
  find: (name) =>
    services[name] === undefined
      ? null
      : { name, servers: services[name], keeps: services[name], writerPorts: [] },
})
const FILE = {
  environment: new Map<string, string>(),
  config: (name: string) => (name === 'upstreams' ? '{{#web}}{{name}}{{/web}}' : null),
}
const made = (text: string, services: Record<string, SeenServer[]> = {}): string =>
  template.render(view(services), template.options({ files: { f: text } }, FILE))[0]?.content ?? ''

const UPSTREAM = `upstream web {
  {{#web}}
  server {{address}}:80; # {{name}} on {{host}}
  {{/web}}
  {{^web}}
  server 127.0.0.1:9;
  {{/web}}
}
`

describe('a template', () => {
  it('has a line for each server', () => {
    const web = [server('web.1.a', '10.0.1.5'), server('web.2.b', '10.0.1.6')]
    expect(made(UPSTREAM, { web })).toBe(`upstream web {
  server 10.0.1.5:80; # web.1.a on host-1
  server 10.0.1.6:80; # web.2.b on host-1
}
`)
  })
  it('says what is to be there when there is none', () => {
    const none = 'upstream web {\n  server 127.0.0.1:9;\n}\n'
    expect(made(UPSTREAM, { web: [] })).toBe(none)
    expect(made(UPSTREAM)).toBe(none)
  })
  it('knows the writer', () => {
    const db = [server('db-1', '10.0.1.5'), server('db-2', '10.0.1.6', { writer: true })]
    expect(made('{{#db:writer}}{{address}}{{/db:writer}}', { db })).toBe('10.0.1.6')
  })
  it('leaves a donor out while there is another', () => {
    const donor = server('db-1', '10.0.1.5', { backup: true })
    expect(made('{{#db}}{{name}}{{/db}}', { db: [donor, server('db-2', '10.0.1.6')] })).toBe('db-2')
    expect(made('{{#db}}{{name}}{{/db}}', { db: [donor] })).toBe('db-1')
  })
  it('knows whose it is, and the others of the same service', () => {
    const front = [server('front.1.a', '10.0.1.5'), server('front.2.b', '10.0.1.6')]
    const text =
      '{{self.slot}} {{self.name}} {{self.host}}{{#self.peers}} {{address}}{{/self.peers}}'
    expect(made(text, { shop_front: front })).toBe('2 front.2.b host-7 10.0.1.5')
    expect(made('{{^self.peers}}alone{{/self.peers}}', { shop_front: [front[1]!] })).toBe('alone')
    const own = (f: string) => template.ownFiles?.(template.options({ files: { f } }, FILE))
    expect(own('{{self.slot}}')).toBe(true)
    expect(own('{{#self.peers}}{{name}}{{/self.peers}}')).toBe(true)
    expect(own('{{#web}}{{self.slot}}{{/web}}')).toBe(true)
    expect(own(UPSTREAM)).toBe(false)
  })
  it('is refused where it is wrong', () => {
    const refused = (text: string) => () => made(text)
    expect(refused('{{#web}}')).toThrow('never ends web')
    expect(refused('{{/web}}')).toThrow('nothing is open')
    expect(refused('{{#a}}{{#b}}{{/a}}{{/b}}')).toThrow('ends a, but b is open')
    expect(refused('{{address}}')).toThrow('there is no {{address}} here')
    expect(refused('{{#web}}{{port}}{{/web}}')).toThrow('there is no {{port}} here')
    expect(refused('{{a b}}')).toThrow('no name')
  })
  it('leaves text alone that has no tags', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
        fc.pre(!text.includes('{{'))
        expect(renderTemplate(parseTemplate(text), {}, () => [])).toBe(text)
      }),
    )
  })
})

describe('its options', () => {
  const options = (given: Record<string, unknown>) => () => template.options(given, FILE)
  it('are checked', () => {
    expect(options({})).toThrow('files')
    expect(options({ files: { '../x': '' } })).toThrow('no path')
    expect(options({ files: { 'a/../x': '' } })).toThrow('no path')
    expect(options({ files: { '/x': '' } })).toThrow('no path')
    expect(options({ files: {}, reload: { signal: 'x; rm' } })).toThrow()
    expect(options({ files: { 'a/b.conf': 'x' }, reload: { signal: 'HUP' } })()).toMatchObject({
      reload: { signal: 'HUP' },
    })
    expect(options({ files: { f: { config: 'upstreams' } } })()).toMatchObject({
      files: { f: '{{#web}}{{name}}{{/web}}' },
    })
    expect(options({ files: { f: { config: 'none' } } })).toThrow('no config "none"')
    expect(options({ files: { f: 'x'.repeat(70_000) } })).toThrow('longer')
  })
})
