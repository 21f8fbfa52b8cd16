import type { MembershipApi, SwarmApi } from './engine.ts'
import {
  asConfig,
  asNode,
  asSecret,
  asService,
  asSwarm,
  asTask,
  listOf,
  withText,
} from './decode.ts'
import { readLogs } from './logs.ts'
import type { Transport } from './transport.ts'
import type { Filters } from './types.ts'

/** Joining waits for certificates and, on a manager, for Raft. */
const MEMBERSHIP_LIMIT_MS = 60_000
/** The engine gives its part of the swarm 10 to 15 s to stop, and its networks 5 s. */
const LEAVE_LIMIT_MS = 25_000

const authHeader = (registryAuth: string | undefined) =>
  registryAuth === undefined ? {} : { headers: { 'X-Registry-Auth': registryAuth } }

/** Warnings are a list in newer answers, one text in older ones. */
const warningsIn = (value: unknown): string[] => {
  const { Warnings, Warning } = (value ?? {}) as { Warnings?: string[] | null; Warning?: string }
  return Warnings ?? (Warning ? [Warning] : [])
}

const named = (spec: { Name?: string }): string => spec.Name ?? '(no name)'

/** SwarmApi over a transport. */
export const swarmApi = (transport: Transport): SwarmApi => {
  const get = (path: string, doing: string, filters?: Filters) =>
    transport.json({ method: 'GET', path, doing, query: { filters } })
  const create = async (kind: 'config' | 'secret', spec: { Name?: string }) => {
    const doing = `create ${kind} ${named(spec)}`
    const path = `/${kind}s/create`
    return withText(await transport.json({ method: 'POST', path, doing, body: spec }), 'ID')
  }
  const update = async (call: { path: string; doing: string; version: number; body: object }) => {
    const { version, ...rest } = call
    await transport.text({ method: 'POST', ...rest, query: { version } })
  }
  const remove = async (path: string, doing: string, query: { force?: boolean } = {}) => {
    await transport.text({ method: 'DELETE', path, doing, query })
  }
  const at = encodeURIComponent

  return {
    inspectSwarm: async () => asSwarm(await get('/swarm', 'read the cluster')),
    updateSwarm: (version, body) =>
      update({ path: '/swarm/update', doing: 'change the cluster', version, body }),
    listNodes: async (filters) => listOf(await get('/nodes', 'list hosts', filters), asNode),
    inspectNode: async (id) => asNode(await get(`/nodes/${at(id)}`, `read host ${id}`)),
    updateNode: (id, version, body) =>
      update({ path: `/nodes/${at(id)}/update`, doing: `change host ${id}`, version, body }),
    removeNode: (id, { force } = {}) =>
      remove(`/nodes/${at(id)}`, `remove host ${id}`, force === undefined ? {} : { force }),
    listServices: async (filters) =>
      listOf(await get('/services', 'list services', filters), asService),
    inspectService: async (id) => asService(await get(`/services/${at(id)}`, `read service ${id}`)),
    createService: async (spec, { registryAuth } = {}) => {
      const doing = `create service ${named(spec)}`
      const path = '/services/create'
      const call = { method: 'POST', path, doing, body: spec, ...authHeader(registryAuth) } as const
      const answer = withText(await transport.json(call), 'ID')
      return { ID: answer.ID, Warnings: warningsIn(answer) }
    },
    // oxlint-disable-next-line max-params -- the contract's own
    updateService: async (id, version, spec, { registryAuth } = {}) => {
      const answer = await transport.json({
        method: 'POST',
        path: `/services/${at(id)}/update`,
        doing: `update service ${spec.Name ?? id}`,
        query: { version },
        body: spec,
        ...authHeader(registryAuth),
      })
      return { Warnings: warningsIn(answer) }
    },
    removeService: (id) => remove(`/services/${at(id)}`, `remove service ${id}`),
    listTasks: async (filters) => listOf(await get('/tasks', 'list tasks', filters), asTask),
    taskLogs: (id, options) =>
      readLogs(transport, {
        path: `/tasks/${at(id)}/logs`,
        doing: `read the logs of task ${id}`,
        options,
        hasTerminal: async () => {
          const task = asTask(await get(`/tasks/${at(id)}`, `read task ${id}`))
          return task.Spec?.ContainerSpec?.TTY === true
        },
      }),
    listConfigs: async (filters) =>
      listOf(await get('/configs', 'list configs', filters), asConfig),
    createConfig: (spec) => create('config', spec),
    updateConfig: (id, version, body) =>
      update({ path: `/configs/${at(id)}/update`, doing: `change config ${id}`, version, body }),
    removeConfig: (id) => remove(`/configs/${at(id)}`, `remove config ${id}`),
    listSecrets: async (filters) =>
      listOf(await get('/secrets', 'list secrets', filters), asSecret),
    createSecret: (spec) => create('secret', spec),
    removeSecret: (id) => remove(`/secrets/${at(id)}`, `remove secret ${id}`),
  }
}

/** MembershipApi over a transport. */
export const membershipApi = (transport: Transport): MembershipApi => {
  const post = (
    path: string,
    doing: string,
    more: { body?: object; query?: { force?: boolean }; limitMs?: number },
  ) => transport.json({ method: 'POST', path, doing, limitMs: MEMBERSHIP_LIMIT_MS, ...more })
  return {
    initSwarm: async ({ advertiseAddr, listenAddr = '0.0.0.0:2377', defaultAddrPool }) => {
      const nodeId = await post('/swarm/init', 'start a cluster', {
        body: {
          AdvertiseAddr: advertiseAddr,
          ListenAddr: listenAddr,
          ...(defaultAddrPool !== undefined && { DefaultAddrPool: defaultAddrPool }),
        },
      })
      return { nodeId: String(nodeId) }
    },
    joinSwarm: async ({ remoteAddrs, token, advertiseAddr }) => {
      await post('/swarm/join', `join the cluster at ${remoteAddrs.join(', ')}`, {
        body: {
          RemoteAddrs: remoteAddrs,
          JoinToken: token,
          ListenAddr: '0.0.0.0:2377',
          ...(advertiseAddr !== undefined && { AdvertiseAddr: advertiseAddr }),
        },
      })
    },
    leaveSwarm: async ({ force } = {}) => {
      await post('/swarm/leave', 'leave the cluster', {
        limitMs: LEAVE_LIMIT_MS,
        query: force === undefined ? {} : { force },
      })
    },
  }
}
