/** One way to run a Galera cluster: by Muster, or by hand. Members are named by the side. */
import type { SqlWriter, Writes } from '../../test/sql-writer.ts'

export interface Side {
  readonly name: string
  /** From nothing to three empty members. Resolves when that is under way. */
  begin(): Promise<void>
  /** The clients. Waits for their container. */
  clients(): Promise<SqlWriter>
  /** Until so many members are synced, and serve. Resolves with their names. */
  ready(count: number, timeoutMs?: number): Promise<string[]>
  writer(): Promise<string>
  reader(): Promise<string>
  /** Ends members with SIGKILL, and brings them back. Resolves when that is under way. */
  crash(members: readonly string[]): Promise<void>
  /** Cuts the power of all hosts, and gives it back. Resolves when the last engine answers. */
  powerCycle(): Promise<void>
  /** What is to be done by hand after that; nothing, at best. */
  recover(): Promise<void>
  switchover(): Promise<void>
  rollingUpdate(): Promise<void>
  /** From three to this many. */
  grow(count: number): Promise<void>
  /** Back to three. */
  shrink(): Promise<void>
  /** 100 MB of rows. */
  fill(): Promise<void>
  /** Throws when members differ, or an acknowledged row is lost. */
  agree(writes: Writes, members: readonly string[]): Promise<unknown>
  /** Removes everything. */
  end(): Promise<void>
}

export const BULK = `CREATE TABLE shop.bulk (n INT PRIMARY KEY, v VARBINARY(1024)) AS
  SELECT seq AS n, RANDOM_BYTES(1024) AS v FROM shop.seq_1_to_100000`
