import { expect, it } from 'vitest'
import { type Occupant, askerOf } from './occupants.ts'

const made = (container: string, service: string | null, madeAt: number): Occupant => ({
  container,
  service,
  madeAt,
  created: true,
  running: false,
  image: null,
  exit: null,
})

it('takes the newest container of the member for the one that asks', () => {
  const occupants = [made('left', 'db-1', 100), made('new', 'db-1', 200)]
  expect(askerOf(occupants, 'db-1')?.container).toBe('new')
})

it('takes nobody when it could be a stranger', () => {
  expect(askerOf([], 'db-1')).toBeNull()
  expect(askerOf([made('left', 'db-1', 100), made('x', null, 101)], 'db-1')).toBeNull()
  expect(askerOf([made('x', null, 99), made('new', 'db-1', 100)], 'db-1')).toBeNull()
  expect(askerOf([{ ...made('old', 'db-1', 100), created: false }], 'db-1')).toBeNull()
})

it('does not let what a stranger left behind keep the member out for good', () => {
  const occupants = [made('x', null, 100), made('new', 'db-1', 500)]
  expect(askerOf(occupants, 'db-1')?.container).toBe('new')
})
