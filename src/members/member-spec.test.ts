import { expect, it } from 'vitest'
import { recipeNamed } from '../recipes/index.ts'
import { memberSpec } from './member-spec.ts'

const container = (own: object, name = 'galera') => {
  const recipe = recipeNamed(name)
  const { TaskTemplate } = memberSpec(
    { Name: 'shop_db', TaskTemplate: { ContainerSpec: { Image: 'mariadb', ...own } } },
    { cluster: 'shop_db', member: 'shop_db-1', host: 'h1', running: true },
    { recipe, options: recipe.options({}, new Map()), secrets: new Map() },
  )
  return TaskTemplate?.ContainerSpec
}

it("gives a member its recipe's network settings, and the user's before them", () => {
  expect(container({})?.Sysctls).toEqual({ 'net.ipv4.tcp_retries2': '5' })
  const own = { Sysctls: { 'net.ipv4.tcp_retries2': '9', 'net.core.somaxconn': '99' } }
  expect(container(own)?.Sysctls).toEqual(own.Sysctls)
  expect(container(own, 'etcd')?.Sysctls).toEqual(own.Sysctls)
  expect(container({}, 'etcd')).not.toHaveProperty('Sysctls')
})
