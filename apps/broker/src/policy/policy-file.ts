import { readFile } from 'node:fs/promises'
import { parsePolicy, type Policy, type TopicLimits } from '@fleetroot/policy'
import { BrokerError } from '../error.ts'

/** How often the file is read again, unless said otherwise. It is small, and reading works on every file system. */
const defaultEveryMs = 2_000

/** A policy file that is being watched. */
export interface PolicyFile {
  /** As it was when it was opened. */
  readonly policy: Policy
  /** Looks for a change now. */
  readonly check: () => Promise<void>
  readonly close: () => void
}

/** What to do when the file changes. */
export interface PolicyListener {
  readonly onPolicy: (policy: Policy) => void
  /** Told once for each bad state. */
  readonly onError: (error: unknown) => void
  readonly everyMs?: number
  /** Default: those of the package. */
  readonly topicLimits?: TopicLimits
}

/**
 * Reads and compiles a policy file and watches it. Throws `BrokerError` `policy-unreadable` or
 * `PolicyError` `policy-invalid`. Afterwards a file that is gone or has a mistake changes nothing: the policy in force stays.
 */
export async function openPolicy(path: string, listener: PolicyListener): Promise<PolicyFile> {
  const { onPolicy, onError, everyMs = defaultEveryMs, topicLimits } = listener
  let seen = await readText(path)
  let complaint = ''
  let isClosed = false
  const policy = parsePolicy(seen, path, topicLimits)

  async function check(): Promise<void> {
    try {
      const text = await readText(path)
      if (isClosed || text === seen) return
      seen = text
      complaint = ''
      onPolicy(parsePolicy(text, path, topicLimits))
    } catch (error) {
      const { message } = error as Error
      if (!isClosed && message !== complaint) onError(error)
      complaint = message
    }
  }

  const timer = setInterval(() => void check(), everyMs)
  timer.unref()
  return {
    policy,
    check,
    close: () => {
      isClosed = true
      clearInterval(timer)
    },
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reasons: Record<string, string> = { ENOENT: 'there is no such file', EACCES: 'permission denied' }
    const why = reasons[code ?? ''] ?? code ?? 'unknown'
    throw new BrokerError('policy-unreadable', `cannot read the policy file ${path}: ${why}`, {
      cause: error,
    })
  }
}
