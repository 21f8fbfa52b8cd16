import { describe, expect, it } from 'vitest'
import { negotiate } from './api-version.ts'
import { refusal, unreachable } from './failure.ts'

const refused = (status: number, message: string, path = '/services/x') =>
  refusal({ status, body: JSON.stringify({ message }), path, doing: 'update service x' })

describe('refusal', () => {
  it.each([
    [404, 'service x not found', 'NOT_FOUND'],
    [
      409,
      'rpc error: code = AlreadyExists desc = name conflicts with an existing object',
      'CONFLICT',
    ],
    // A 500 in engines up to 20.10.
    [500, 'rpc error: code = Unknown desc = update out of sequence', 'CONFLICT'],
    [
      503,
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join"',
      'NOT_A_MANAGER',
    ],
    [
      503,
      "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state.",
      'NOT_A_MANAGER',
    ],
    [503, 'This node is not part of a swarm', 'NOT_A_MANAGER'],
    [
      500,
      "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.",
      'NO_QUORUM',
    ],
    [500, 'rpc error: code = Unavailable desc = has lost leader', 'NO_QUORUM'],
    [500, 'rpc error: code = DeadlineExceeded desc = context deadline exceeded', 'NO_QUORUM'],
    [503, 'This node is already part of a swarm.', 'ENGINE_REFUSED'],
    [500, 'something else', 'ENGINE_REFUSED'],
  ])('%i %s', (status, message, code) => {
    expect(refused(status, message).code).toBe(code)
  })

  it('takes a deadline elsewhere for what it is', () => {
    expect(refused(500, 'context deadline exceeded', '/images/create').code).toBe('ENGINE_REFUSED')
  })

  it('says what was being done, without the wrapping of the remote call', () => {
    const error = refused(400, 'rpc error: code = InvalidArgument desc = name must be valid')
    expect(error.message).toBe('Cannot update service x: name must be valid')
  })

  it('reads bodies that are not JSON, and none', () => {
    const at = { status: 502, path: '/info', doing: 'ask' }
    expect(refusal({ ...at, body: 'Bad gateway\n' }).message).toBe('Cannot ask: Bad gateway')
    expect(refusal({ ...at, body: '' }).message).toBe('Cannot ask: the engine answered 502')
  })
})

describe('unreachable', () => {
  it('names the address, and what to do about it', () => {
    const denied = Object.assign(new Error('connect EACCES /s'), { code: 'EACCES' })
    const error = unreachable(denied, 'unix:///s', 'list hosts')
    expect(error.code).toBe('ENGINE_UNREACHABLE')
    expect(error.message).toContain('unix:///s')
    expect(error.hint).toMatch(/root/)
    const several = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' })
    expect(unreachable(several, 'tcp://x:1', 'ask').message).toContain('ECONNREFUSED')
  })
})

describe('negotiate', () => {
  it('takes the newest version that both know', () => {
    expect(negotiate({ api: '1.41', minApi: '1.12' })).toBe('1.41')
    expect(negotiate({ api: '1.52', minApi: '1.44' })).toBe('1.52')
    expect(negotiate({ api: '1.60', minApi: '1.44' })).toBe('1.52')
  })

  it('says both versions when there is none', () => {
    const message = (engine: { api: string; minApi: string }): string => {
      try {
        return negotiate(engine)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENGINE_TOO_OLD' })
        return (error as Error).message
      }
    }
    expect(message({ api: '1.39', minApi: '1.12' })).toMatch(/1\.39.*1\.40/)
    expect(message({ api: '1.99', minApi: '1.60' })).toMatch(/1\.60 to 1\.99.*1\.40 to 1\.52/)
    expect(message({ api: '', minApi: '' })).toMatch(/unknown/)
  })
})
