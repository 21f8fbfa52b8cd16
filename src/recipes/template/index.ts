import { z } from 'zod'
import { MusterError } from '../../base/index.ts'
import { checkOptions } from '../options.ts'
import type { RenderedRecipe, View } from '../rendered/contract.ts'
import { listsOf, parseTemplate, renderTemplate, variablesOf, type Variables } from './mustache.ts'

const SERVER = ['name', 'address', 'host']
/** Of the container whose files they are. */
const OWN = ['self.name', 'self.slot', 'self.host']
/** The list of the other containers of the same service. */
const PEERS = 'self.peers'
const EVERYWHERE = ['service', ...OWN]
/** All of it travels in a label of the container. */
const MAX_LENGTH = 64 * 1024

const optionsSchema = z.strictObject({
  /** Text, or the name of a config, by path under /muster. */
  files: z.record(
    z.string().regex(/^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[A-Za-z0-9_.-][A-Za-z0-9_./-]*$/, 'is no path'),
    z.union([z.string(), z.strictObject({ config: z.string() })]),
  ),
  /** How the software reads them again; it notices by itself if nothing is said. */
  reload: z
    .union([
      z.strictObject({ signal: z.string().regex(/^(SIG)?[A-Z0-9]{1,10}$/, 'is no signal') }),
      z.strictObject({ command: z.array(z.string()).min(1) }),
    ])
    .optional(),
})

const optionsOf = (given: Record<string, unknown>) => checkOptions(optionsSchema, given)

const checkVariables = (path: string, text: string): void => {
  for (const { name, inList } of variablesOf(parseTemplate(text))) {
    const known = inList ? [...EVERYWHERE, ...SERVER] : EVERYWHERE
    if (known.includes(name)) continue
    throw new MusterError('STACK_REFUSED', `files.${path}: there is no {{${name}}} here.`, {
      hint: `In a list of servers there are ${SERVER.join(', ')}; everywhere ${EVERYWHERE.join(', ')}.`,
    })
  }
}

/** `web`: its servers. `db:writer`: the one that takes the writes. */
const serversOf = (view: View, list: string): Variables[] => {
  if (list === PEERS) {
    const { servers = [] } = view.find(view.service) ?? {}
    return servers
      .filter(({ name }) => name !== view.self?.name)
      .map(({ name, address, host }) => ({ name, address, host }))
  }
  const [name = '', only] = list.split(':')
  const seen = view.find(name)?.servers ?? []
  const wanted = only === 'writer' ? seen.filter(({ writer }) => writer) : firm(seen)
  return wanted.map(({ name, address, host }) => ({ name, address, host }))
}

/** Who gives its state to another is used when there is nobody else. */
const firm = <T extends { backup: boolean }>(servers: readonly T[]): readonly T[] => {
  const others = servers.filter(({ backup }) => !backup)
  return others.length > 0 ? others : servers
}

/**
 * Any software, with files made from templates: in `{{#web}}...{{/web}}` stands what is written once for
 * each server of the service web.
 */
export const template: RenderedRecipe = {
  name: 'template',
  images: [],
  claims: () => false,
  options: (given, { config }) => {
    const options = optionsOf(given)
    const files: Record<string, string> = {}
    let length = 0
    for (const [path, from] of Object.entries(options.files)) {
      const text = typeof from === 'string' ? from : config(from.config)
      if (text === null) {
        throw new MusterError(
          'STACK_REFUSED',
          `files.${path}: there is no config ${JSON.stringify(typeof from === 'string' ? '' : from.config)} with text in it.`,
        )
      }
      checkVariables(path, text)
      files[path] = text
      length += text.length
    }
    if (length > MAX_LENGTH) {
      throw new MusterError('STACK_REFUSED', `the files are longer than ${MAX_LENGTH} characters.`)
    }
    return { ...options, files }
  },
  ownFiles: (given) =>
    Object.values(optionsOf(given).files).some((text) => {
      const nodes = parseTemplate(typeof text === 'string' ? text : '')
      return (
        variablesOf(nodes).some(({ name }) => OWN.includes(name)) || listsOf(nodes).includes(PEERS)
      )
    }),
  entrypoint: null,
  render: (view, given) =>
    Object.entries(optionsOf(given).files).map(([path, text]) => ({
      path,
      content: renderTemplate(
        parseTemplate(typeof text === 'string' ? text : ''),
        {
          service: view.service,
          ...(view.self && {
            'self.name': view.self.name,
            'self.slot': String(view.self.slot),
            'self.host': view.self.host,
          }),
        },
        (list) => serversOf(view, list),
      ),
    })),
  reload: (given) => optionsOf(given).reload ?? null,
}
