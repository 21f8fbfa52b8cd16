import { describe, expect, test } from 'vitest'
import type { Service } from '../engine/index.ts'
import { findService, findStack } from './names.ts'

const service = (stack: string, key: string): Service => ({
  ID: `${stack}${key}`,
  Version: { Index: 1 },
  Spec: { Name: `${stack}_${key}`, Labels: { 'com.docker.stack.namespace': stack } },
})
const services = [service('hello', 'front'), service('hello', 'app'), service('blog', 'app')]

describe('the service that a name means', () => {
  test.each([
    ['hello_front', 'hello_front', undefined],
    ['front', 'hello_front', undefined],
    ['front.2', 'hello_front', 2],
    ['blog_app.10', 'blog_app', 10],
  ])('%s', (name, full, slot) => {
    const found = findService(services, name)
    expect([found.service.Spec.Name, found.slot]).toEqual([full, slot])
  })

  test('a short name that two stacks have is asked back', () => {
    expect(() => findService(services, 'app')).toThrow('"app" could be hello_app or blog_app.')
  })

  test.each([
    ['fornt', 'front'],
    ['hello_frotn.1', 'hello_front'],
    ['hello_ap', 'hello_app'],
  ])('%s is probably %s', (name, meant) => {
    expect(() => findService(services, name)).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND', hint: `Did you mean "${meant}"?` }),
    )
  })

  test('what is like nothing is only said not to be there', () => {
    expect(() => findService(services, 'database')).toThrow(
      expect.objectContaining({ hint: 'See what there is: muster ps' }),
    )
    expect(() => findStack(services, 'helo')).toThrow(
      expect.objectContaining({ hint: 'Did you mean "hello"?' }),
    )
  })
})
