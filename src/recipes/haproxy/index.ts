import { z } from 'zod'
import { MusterError } from '../../base/index.ts'
import { checkOptions } from '../options.ts'
import type { RenderedRecipe } from '../rendered/contract.ts'
import { type Balanced, renderConfig, renderServers } from './config.ts'

const NAME = 'SERVICE_NAME'
const PORTS = 'SERVICE_PORTS'

const START = `#!/bin/sh
cp /muster/servers /tmp/servers
exec haproxy -W -db -S /tmp/master.sock -f /muster/haproxy.cfg
`

/**
 * A reload leaves open connections to older workers. Those to servers that are not there any more,
 * such as the last writer, are ended there.
 */
const RELOAD = `#!/bin/sh
# Left open for writing: else the master would not wait for a worker's answer. It would stay open, too,
# until it is asked to quit.
master() { printf '%s\\nquit\\n' "$1" | socat -t 2 - UNIX-CONNECT:/tmp/master.sock,shut-none; }
pids() { master 'show proc' | awk -v part="# $1" '/^#/ { on = ($0 == part); next } on && NF { print $1 }'; }
before=$(pids workers)
kill -USR2 1
tries=0
while now=$(pids workers); [ -z "$now" ] || [ "$now" = "$before" ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || exit 1
  sleep 0.1
done
gone=$(grep -vxF -f /muster/servers /tmp/servers | cut -d ' ' -f 1)
cp /muster/servers /tmp/servers
for pid in $(pids 'old workers'); do
  for server in $gone; do
    # All of a server at once is refused once a worker has stopped listening.
    master "@!$pid show sess" |
      awk -v is=" be=\${server%/*} srv=\${server#*/} " 'index($0, is) { sub(":.*", ""); print }' |
      while read -r session; do master "@!$pid shutdown session $session"; done
  done
done
`

const optionsSchema = z.strictObject({})

const environmentOf = (environment: ReadonlyMap<string, string>): Balanced => {
  const need = (name: string, example: string): string => {
    const value = environment.get(name)?.trim() ?? ''
    if (value !== '') return value
    throw new MusterError('STACK_REFUSED', `the variable ${name} is missing.`, {
      hint: `It says what is balanced: ${name}=${example}`,
    })
  }
  const service = need(NAME, 'web')
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(service)) {
    throw new MusterError('STACK_REFUSED', `${NAME}: "${service}" is no name of a service.`)
  }
  const ports = need(PORTS, '80')
    .split(/[\s,]+/)
    .filter((each) => each !== '')
    .map((text) => {
      const port = Number(text)
      if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
      throw new MusterError('STACK_REFUSED', `${PORTS}: "${text}" is no port.`, {
        hint: 'Ports are separated by commas or spaces: 80,443',
      })
    })
  return { service, ports: [...new Set(ports)] }
}

const balancedOf = (options: Record<string, unknown>): Balanced =>
  checkOptions(
    z.strictObject({ service: z.string(), ports: z.array(z.int().min(1).max(65_535)) }),
    options,
  )

/**
 * A balancer in front of another service: each of its ports leads to the same port there. In front
 * of a clustered service with one writer that port leads to the writer, as does 4006; 4008 and the next
 * port (3307 for MariaDB) to all that are ready.
 */
export const haproxy: RenderedRecipe = {
  name: 'haproxy',
  images: ['haproxy', 'library/haproxy', 'muster/haproxy'],
  claims: (environment) => environment.has(NAME) || environment.has(PORTS),
  options: (given, { environment }) => {
    checkOptions(optionsSchema, given)
    return { ...environmentOf(environment) }
  },
  entrypoint: ['sh', '/muster/start'],
  render: (view, options) => {
    const balanced = balancedOf(options)
    return [
      { path: 'start', content: START, mode: 0o755 },
      { path: 'reload', content: RELOAD, mode: 0o755 },
      { path: 'haproxy.cfg', content: renderConfig(view, balanced) },
      { path: 'servers', content: renderServers(view, balanced) },
    ]
  },
  reload: () => ({ command: ['sh', '/muster/reload'] }),
}
