import type { Redis } from 'ioredis'

/** What answers is not, or no longer, the master: whoever is may answer at the same address. */
export class NotTheMaster extends Error {}

/**
 * Which Redis answers on this connection: another word after every restart, and after a replica has taken the place of a master, also when it
 * was the master before. What was written under the same word is still there. Rejects with NotTheMaster when it is a replica.
 */
export async function askRun(connection: Redis): Promise<string> {
  const answer = await connection.info()
  const valueOf = (name: string): string => new RegExp(`^${name}:(\\w+)`, 'm').exec(answer)?.[1] ?? ''
  if (valueOf('role') === 'slave')
    throw new NotTheMaster('what answers there is a replica, which keeps nothing')
  // A process keeps its id when it is made a replica and a master again; the history of what it has is called otherwise then.
  return `${valueOf('run_id')} ${valueOf('master_replid')}`
}

/** Does a failure say that what answers is not the master? */
export function isNotTheMaster(error: unknown): boolean {
  return error instanceof NotTheMaster || (error instanceof Error && error.message.startsWith('READONLY'))
}
