/** docs/compose.md: what becomes of every key of a Compose file, from the table that decides it. */
import { DIFFERENCES } from '../stack/differences.ts'
import { type Row, SECTION_KEYS, SERVICE_KEYS } from '../stack/keys.ts'

const FATE: Record<Row['fate'], string> = {
  swarm: 'carried by Swarm',
  muster: 'done by Muster',
  client: 'resolved when the file is loaded',
  none: 'no effect on a cluster',
  refused: 'refused',
}

const HEAD = `# What becomes of a Compose file

Made from the table that decides it by \`npm run docs\`. Nothing is ignored in silence: a key is carried,
done by Muster, or refused with file, line and column. A refused key that only loses something may be
left out on purpose: \`x-muster: { tolerate: [KEY] }\` or \`--tolerate KEY\`; it is then a note in the plan.

## How files are read

As \`docker compose\` of 2026 reads them; the 528 cases of test/compose-conformance hold Muster to that.

- Several files: \`-f\` again and again, \`-f -\`, \`COMPOSE_FILE\`; else \`compose.yaml\` (or one of its
  older names) with its \`compose.override.yaml\`, in this folder or above. Merged key by key, \`!reset\`
  and \`!override\` included. Several YAML documents in one file are several files.
- \`include\` and \`extends\` from local files. From git or a registry they are refused.
- Variables: \`$VAR\`, \`\${VAR:-default}\`, \`-\`, \`:?\`, \`?\`, \`:+\`, \`+\`, nested, \`$$\`; from the environment,
  then \`.env\` or \`--env-file\`. An unset one is a warning. Keys are left alone.
- \`profiles\`: \`--profile\`, \`COMPOSE_PROFILES\`, \`*\`.
- YAML as Go reads it: \`0440\` is octal, \`yes\` and \`22:22\` are text, anchors and \`<<\` work, a key that
  is there twice is an error.
- Files of version 2 and 3 are taken, \`version\` is ignored with a warning; files of version 1 (without
  \`services\`) are refused.
- \`{{.Node.Hostname}}\` and the like are left to Swarm.

## x-muster

In a service:

    x-muster:
      http:                      # virtual hosts and paths, on a port that services share
        - shop.example.com       # all of a host, on port 80
        - { host: "*.example.com", path: /api, published: 80, target: 8080 }
      ports:                     # how the edges treat a published port
        "3306": { mode: tcp, proxy_protocol: true }
        "8000": { mode: http }   # the same as app_protocol: http of the port
      proxy_protocol: true       # for every published TCP port
      tolerate: [devices]        # keys that may be without effect

## Other than docker stack deploy

Every file that \`docker stack deploy\` takes becomes the same services, networks, configs and secrets,
but for this. A test compares the requests of both for the stack files of other projects; it fails at
any other difference, and at one here that no file shows. Keys that \`docker stack deploy\` refuses or
leaves out (\`container_name\`, \`links\`, \`tmpfs\`, \`security_opt\` ...) become what the tables below say.

${DIFFERENCES.map(({ says }) => `- ${says}`).join('\n')}
`

/** docs/compose.md, whole. */
export const composeReference = (): string => {
  const parts: [string, Record<string, Row>][] = [
    ['services', SERVICE_KEYS],
    ...SECTION_KEYS.map(([name, keys]): [string, Record<string, Row>] => [name, keys]),
  ]
  const tables = parts.map(
    ([name, keys]) =>
      `## ${name}\n\n| key | outcome | how, or why not |\n|---|---|---|\n${rows(keys, '').join('\n')}\n`,
  )
  return `${HEAD}\n${tables.join('\n')}`
}

const rows = (keys: Record<string, Row>, prefix: string): string[] =>
  Object.entries(keys).flatMap(([key, row]) => [
    line(`${prefix}${key}`, row),
    ...rows(row.keys ?? {}, `${prefix}${key}.`),
    ...rows(row.each ?? {}, `${prefix}${key}[].`),
  ])

const line = (key: string, row: Row): string => {
  const outcome = row.when ? `${FATE[row.fate]} in some cases` : FATE[row.fate]
  const words = [row.why, row.instead, row.api && `needs API ${row.api}`].filter(Boolean)
  return `| \`${key}\` | ${outcome} | ${words.join('. ').replaceAll('|', '\\|')} |`
}
