import { createHash } from 'node:crypto'
import { parseIdentity, readIdentityFiles } from './load.ts'
import type { IdentityFiles, TlsIdentity } from './load.ts'
import { watchDirectories } from './directory-events.ts'

/** How `watchIdentity` looks; all optional. */
export interface WatchSettings {
  /** The identity in use; without it, what the files hold at the moment of the call. */
  readonly current?: TlsIdentity
  /** The files are read at least this often; default 10,000. File events only make it sooner. */
  readonly pollMs?: number
  /** How long writers get to finish a pair before a bad state is reported; default 500. */
  readonly settleMs?: number
  readonly now?: () => Date
}

/** A running watch. `close` stops it; nothing is called after it. */
export interface IdentityWatch {
  close(): void
}

/** One save is a burst of events; this collects them. */
const BURST_MS = 50

/**
 * Calls `onChange` with every new identity that appears in the files, so that a server can pass it to
 * `setSecureContext` without a restart. Only a whole pair that `loadIdentity` accepts is handed out: while
 * one file is new and the other still old, nothing happens. `onError` gets the reason (a TlsConfigError, or
 * what `onChange` threw) once for each bad state that lasts `settleMs`; a bad state is tried again on every
 * poll, because time alone can make it good (not yet valid, permissions).
 *
 * Works for files written in place, renamed into place, or behind a symbolic link that is swapped
 * (Kubernetes). Where file events are missing (network file systems) or fail, the poll does the work. Does
 * not keep the process alive. Throws nothing.
 */
export function watchIdentity(
  files: IdentityFiles,
  onChange: (identity: TlsIdentity) => void,
  onError: (error: Error) => void,
  settings: WatchSettings = {},
): IdentityWatch {
  const { pollMs = 10_000, settleMs = 500, now = () => new Date() } = settings
  let held = settings.current ?? attempt(() => look(files).parse(now()))
  let accepted = ''
  let rejected = { state: '', reported: false }
  let timer = setTimeout(check, BURST_MS).unref()
  let soon = true

  function check(): void {
    schedule(pollMs)
    const { state, parse } = look(files)
    if (state === accepted) return
    try {
      const identity = parse(now())
      if (identity.cert !== held?.cert || identity.key !== held.key) onChange(identity)
      held = identity
      accepted = state
    } catch (error) {
      reject(state, error as Error)
    }
  }

  function reject(state: string, error: Error): void {
    if (state !== rejected.state) {
      rejected = { state, reported: false }
      schedule(settleMs)
    } else if (!rejected.reported) {
      rejected.reported = true
      onError(error)
    }
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer)
    timer = setTimeout(check, delayMs).unref()
    soon = delayMs === BURST_MS
  }

  // An event while a check is due already does not put it off: a busy directory must not starve it.
  const events = watchDirectories([files.certFile, files.keyFile], () => {
    if (!soon) schedule(BURST_MS)
  })
  return {
    close() {
      events.close()
      clearTimeout(timer)
    },
  }
}

/** What the files hold now: a digest to notice change by, and the judgement, made on the same bytes. */
function look(files: IdentityFiles): { state: string; parse: (now: Date) => TlsIdentity } {
  try {
    const text = readIdentityFiles(files)
    const state = createHash('sha256').update(JSON.stringify(text)).digest('hex')
    return { state, parse: (now) => parseIdentity(text, files, now) }
  } catch (error) {
    const parse = (): never => {
      throw error
    }
    return { state: (error as Error).message, parse }
  }
}

function attempt<T>(load: () => T): T | undefined {
  try {
    return load()
  } catch {
    return undefined
  }
}
