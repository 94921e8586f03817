import type { DatabaseSync } from 'node:sqlite'
import type { NewDevice, NewToken, RegistryOperations } from './registry.ts'

/** What names a request that may be sent twice: both are SHA-256, in hex. */
export interface RequestName {
  /** Of the caller, the route and the key that the caller gave it. */
  readonly key: string
  /** Of what it asks for. */
  readonly request: string
}

/** What is to be made once, and the answer to keep for whoever asks again; none where it holds a secret. */
export type OnceRequest = RequestName & { readonly atMs: number } & (
    | { readonly device: NewDevice; readonly answer: string }
    | { readonly token: NewToken }
  )

/** `refused`: as without a key. `other`: the key was used for another request. */
export type OnceOutcome = 'made' | 'refused' | 'other' | { readonly repeated: string | undefined }

/** The operation that makes things once. */
export interface RequestOperations {
  /**
   * Makes a device or a token, and remembers the request, in one transaction; of requests with one key the first is done.
   * What is refused is not remembered. Names are forgotten after a day, and the oldest when there are too many.
   */
  makeOnce(request: OnceRequest): OnceOutcome
}

const keptMs = 24 * 60 * 60 * 1000
/** A request for each second of the day, and some. */
const mostKept = 100_000
/** Forgotten with each new one: more than one, so that they become fewer. */
const forgottenAtOnce = 10

/** The operation of {@link RequestOperations} on those that make things. */
export function requestOperations(
  database: DatabaseSync,
  { addDevice, addToken }: Pick<RegistryOperations, 'addDevice' | 'addToken'>,
): RequestOperations {
  const find = database.prepare('SELECT request, answer, at FROM requests WHERE key = ?')
  const remember = database.prepare(
    `INSERT INTO requests (key, request, answer, at) VALUES (?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET request = excluded.request, answer = excluded.answer, at = excluded.at`,
  )
  const forget = database.prepare(
    `DELETE FROM requests WHERE id IN (SELECT id FROM requests
       WHERE at <= ? OR id <= (SELECT max(id) FROM requests) - ${mostKept} ORDER BY id LIMIT ${forgottenAtOnce})`,
  )
  return {
    makeOnce: (once) => {
      const { key, request, atMs } = once
      const before = find.get(key) as { request: string; answer: string | null; at: number } | undefined
      if (before && before.at > atMs - keptMs) {
        return before.request === request ? { repeated: before.answer ?? undefined } : 'other'
      }
      const isMade = 'device' in once ? addDevice(once.device) : addToken(once.token)
      if (!isMade) return 'refused'
      remember.run(key, request, 'device' in once ? once.answer : null, atMs)
      forget.run(atMs - keptMs)
      return 'made'
    },
  }
}
