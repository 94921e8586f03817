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

/**
 * `begun`: nobody has asked for this before. `unfinished`: somebody has, since then, and it is not known what became of it: a kill
 * came between, or another process is at it. `other` and `repeated` as in {@link OnceOutcome}.
 */
export type BeginOutcome =
  | 'begun'
  | 'other'
  | { readonly repeated: string | undefined }
  | { readonly unfinishedSinceMs: number }

/** The operations that make things once. */
export interface RequestOperations {
  /**
   * Makes a device or a token, and remembers the request, in one transaction; of requests with one key the first is done.
   * What is refused is not remembered. Names are forgotten after a day, and the oldest when there are too many.
   */
  makeOnce(request: OnceRequest): OnceOutcome
  /** Remembers a request whose work is not one transaction, before it begins. Ends with `finishOnce`, or `forgetOnce`. */
  beginOnce(request: RequestName & { readonly atMs: number }): BeginOutcome
  /** Keeps the answer of a request that was begun. */
  finishOnce(done: { readonly key: string; readonly answer: string }): void
  /** Forgets a request that was begun, and was refused. */
  forgetOnce(key: string): void
}

const keptMs = 24 * 60 * 60 * 1000
/** A request for each second of the day, and some. */
const mostKept = 100_000
/** Forgotten with each new one: more than one, so that they become fewer. */
const forgottenAtOnce = 10

/** In place of the answer, as long as there is none. */
const unfinished = ''

/** The operations of {@link RequestOperations} on those that make things. */
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
  const finish = database.prepare('UPDATE requests SET answer = ? WHERE key = ?')
  const drop = database.prepare('DELETE FROM requests WHERE key = ?')

  type Known = 'other' | { repeated: string | undefined } | { unfinishedSinceMs: number }
  function findKnown({ key, request, atMs }: RequestName & { atMs: number }): Known | undefined {
    const before = find.get(key) as { request: string; answer: string | null; at: number } | undefined
    if (!before || before.at <= atMs - keptMs) return undefined
    if (before.request !== request) return 'other'
    return before.answer === unfinished
      ? { unfinishedSinceMs: before.at }
      : { repeated: before.answer ?? undefined }
  }
  function note({ key, request, atMs }: RequestName & { atMs: number }, answer: string | null): void {
    remember.run(key, request, answer, atMs)
    forget.run(atMs - keptMs)
  }

  return {
    makeOnce: (once) => {
      const known = findKnown(once)
      if (known !== undefined) {
        // A key is good for one path, and what is made in one transaction is never unfinished.
        return typeof known === 'object' && !('repeated' in known) ? 'other' : known
      }
      const isMade = 'device' in once ? addDevice(once.device) : addToken(once.token)
      if (!isMade) return 'refused'
      note(once, 'device' in once ? once.answer : null)
      return 'made'
    },
    beginOnce: (request) => {
      const known = findKnown(request)
      if (known !== undefined) return known
      note(request, unfinished)
      return 'begun'
    },
    finishOnce: ({ key, answer }) => void finish.run(answer, key),
    forgetOnce: (key) => void drop.run(key),
  }
}
