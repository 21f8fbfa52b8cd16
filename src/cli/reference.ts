/** The reference pages that are made from the code itself: docs/commands.md and docs/errors.md. */
import type { Command } from 'commander'
import { ERRORS } from '../base/index.ts'

/** docs/commands.md: every command with its arguments and flags. */
export const commandReference = (program: Command): string => {
  const lines = [
    '# Commands',
    '',
    'Made from the commands themselves by `npm run docs`.',
    '',
    'Exit status: 0 done, 1 it failed (the last lines say what and what to do), 2 what was written is wrong.',
    '',
  ]
  for (const command of leaves(program)) lines.push(...section(command))
  return `${lines.join('\n').trimEnd()}\n`
}

const leaves = (command: Command): Command[] =>
  command.commands.flatMap((child) => (child.commands.length > 0 ? leaves(child) : [child]))

const section = (command: Command): string[] => {
  const names: string[] = []
  for (let at: Command | null = command; at !== null; at = at.parent) names.unshift(at.name())
  const help = command.createHelp()
  const lines = [
    `## ${names.join(' ')}`,
    '',
    `    ${help.commandUsage(command)}`,
    '',
    sentence(command.description()),
    '',
  ]
  const rows = [
    ...help.visibleArguments(command).map((a) => [`\`${a.name()}\``, help.argumentDescription(a)]),
    ...help
      .visibleOptions(command)
      .filter((option) => option.long !== '--help')
      .map((option) => [`\`${option.flags}\``, help.optionDescription(option)]),
  ]
  if (rows.length > 0) {
    lines.push('| | |', '|---|---|')
    for (const row of rows)
      lines.push(`| ${row.map((cell) => cell?.replaceAll('|', '\\|')).join(' | ')} |`)
    lines.push('')
  }
  return lines
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

/** docs/errors.md: every error code with its exit status. */
export const errorReference = (): string =>
  [
    '# Errors',
    '',
    'Made from the code by `npm run docs`. Every error says what happened, where, and what to do.',
    '',
    '| code | exit | meaning |',
    '|---|---|---|',
    ...Object.entries(ERRORS).map(([code, { exit, about }]) => `| ${code} | ${exit} | ${about} |`),
    '',
  ].join('\n')
