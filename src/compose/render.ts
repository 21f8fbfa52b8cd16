import type { Config, Stack } from './model.ts'
import { compareText } from './ports.ts'
import type { Field, Shape } from './shape.ts'
import {
  configShape,
  modelShape,
  networkShape,
  secretShape,
  serviceShape,
  volumeShape,
} from './shapes.ts'
import { formatDuration, formatMode } from './units.ts'
import { yamlText } from './yaml-text.ts'

export type Format = 'json' | 'yaml'

/**
 * The canonical model as plain data in the form that `docker compose config` prints: durations and
 * sizes as text, secrets without their content.
 */
export const toCanonical = (stack: Stack, format: Format): Record<string, unknown> => {
  const section = (all: Record<string, unknown>, shape: Shape): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(all)
        .toSorted(([a], [b]) => compareText(a, b))
        .map(([name, value]) => [name, encode(value, shape, format)]),
    )
  // The variable is said, its value is not.
  const withoutContent = (all: Record<string, Config>): Record<string, Config> =>
    Object.fromEntries(
      Object.entries(all).map(([name, one]) => {
        if (one.environment === undefined) return [name, one]
        const { content: _, ...rest } = one
        return [name, rest]
      }),
    )
  const sections = {
    services: section(stack.services, serviceShape),
    networks: section(stack.networks, networkShape),
    volumes: section(stack.volumes, volumeShape),
    configs: section(withoutContent(stack.configs), configShape),
    secrets: section(withoutContent(stack.secrets), secretShape),
    // The reference leaves models out of its JSON.
    ...(format === 'yaml' ? { models: section(stack.models, modelShape) } : {}),
  }
  const used = Object.entries(sections).filter(
    ([name, all]) => name === 'services' || Object.keys(all).length > 0,
  )
  return { name: stack.name, ...Object.fromEntries(used), ...stack.extensions }
}

/**
 * The text that `muster config` prints. The YAML is a Compose file again, so a dollar sign is written
 * twice in it; the JSON is the data as it is.
 */
export const renderStack = (stack: Stack, format: Format): string => {
  const data = toCanonical(stack, format)
  return format === 'yaml' ? yamlText(data, escapeDollars) : renderPlain(data, format)
}

const escapeDollars = (text: string): string => text.replaceAll('$', '$$$$')

/** Any plain data in one of the two formats. */
export const renderPlain = (data: unknown, format: Format): string =>
  format === 'json' ? `${JSON.stringify(data, null, 2)}\n` : yamlText(data)

const encode = (value: unknown, shape: Shape, format: Format): unknown => {
  switch (shape.is) {
    case 'object':
      return encodeObject(value as Record<string, unknown>, shape.fields, format)
    case 'map':
      return Object.fromEntries(
        Object.entries(value as Record<string, unknown>)
          .toSorted(([a], [b]) => compareText(a, b))
          .map(([key, item]) => [key, item === null ? null : encode(item, shape.of, format)]),
      )
    case 'list':
      return (value as unknown[]).map((item) => encode(item, shape.of, format))
    case 'either':
      return encode(value, typeof value === 'object' ? shape.map : shape.scalar, format)
    case 'bytes':
      return String(value)
    case 'duration':
      return formatDuration(value as number)
    case 'mode':
      return formatMode(value as number)
    case 'text':
    case 'flag':
    case 'integer':
    case 'number':
    case 'count':
    case 'any':
    default:
      return value
  }
}

const encodeObject = (
  value: Record<string, unknown>,
  fields: Record<string, Field>,
  format: Format,
): Record<string, unknown> => {
  const result: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) {
    const name = format === 'json' ? (field.json ?? key) : key
    const given = value[key]
    if (given !== undefined) result[name] = encode(given, field.shape, format)
    else if (format === 'json' && field.always !== undefined)
      result[name] = field.always === 'object' ? {} : null
  }
  // The reference prints extensions in YAML only.
  if (format === 'yaml')
    for (const [key, item] of Object.entries(value)) if (key.startsWith('x-')) result[key] = item
  return result
}
