import { existsSync } from 'node:fs'
import { request } from 'node:http'

/** Where an engine listens by default, as its own host sees it. */
export const ENGINE_SOCKET = '/run/docker.sock'

/** Path of the socket of the engine in the namespaces of a process, as the machine can open it. */
export const engineSocketOf = (pid: number): string => `/proc/${pid}/root${ENGINE_SOCKET}`

/** Whether an engine answers at a socket within half a second. */
export const pingEngine = async (socketPath: string): Promise<boolean> => {
  if (!existsSync(socketPath)) return false
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: '/_ping', timeout: 500 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    ping.on('timeout', () => ping.destroy())
    ping.on('error', () => resolve(false))
    ping.end()
  })
}
