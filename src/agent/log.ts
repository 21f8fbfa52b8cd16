/** The part of pino's logger that the agent uses. */
export interface Log {
  debug(fields: object, message: string): void
  info(message: string): void
  info(fields: object, message: string): void
  warn(message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
