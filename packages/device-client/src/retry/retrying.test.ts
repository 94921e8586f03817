import { describe, expect, it } from 'vitest'

import { DeviceClientError, type DeviceClientErrorCode } from '../error.ts'
import { fullJitterBackoff } from './backoff.ts'
import { type RetryNotice, retrying } from './retrying.ts'
import { retryVerdict } from './verdict.ts'

const atOnce = fullJitterBackoff({ random: () => 0 })

function failing(code: DeviceClientErrorCode, times: number): () => Promise<string> {
  let calls = 0
  return async () => {
    calls += 1
    if (calls <= times) throw new DeviceClientError(code, `attempt ${calls}`)
    return `after ${calls}`
  }
}

describe('retrying', () => {
  it.each(['network-failed', 'timed-out', 'server-failed', 'rate-limited', 'pending'] as const)(
    'repeats after %s',
    async (code) => {
      await expect(retrying(failing(code, 3), { backoff: atOnce })).resolves.toBe('after 4')
    },
  )

  it.each([
    'request-refused',
    'credential-refused',
    'forbidden',
    'conflict',
    'tls-failed',
    'certificate-untrusted',
  ] as const)('does not repeat after %s', async (code) => {
    await expect(retrying(failing(code, 1), { backoff: atOnce })).rejects.toMatchObject({
      code,
      message: 'attempt 1',
    })
  })

  it('treats an unknown exception as a bug and does not repeat it', () => {
    expect(retryVerdict(new TypeError('bug'))).toEqual({ retry: false })
  })

  it('waits at least what the server asked for', async () => {
    const notices: RetryNotice[] = []
    let calls = 0
    const attempt = async () => {
      calls += 1
      if (calls === 1) throw new DeviceClientError('rate-limited', 'slower', { retryAfterMs: 3 })
      return 'done'
    }
    await retrying(attempt, { backoff: () => 2, onRetry: (notice) => notices.push(notice) })
    expect(notices).toMatchObject([{ failures: 1, waitMs: 5 }])
  })

  it('gives the last failure when the attempts are used up', async () => {
    await expect(
      retrying(failing('network-failed', 9), { backoff: atOnce, maxAttempts: 3 }),
    ).rejects.toMatchObject({ code: 'network-failed', message: 'attempt 3' })
  })

  it('stops waiting when it is aborted', async () => {
    const abort = new AbortController()
    const run = retrying(failing('network-failed', 9), {
      backoff: () => 3_600_000,
      signal: abort.signal,
      onRetry: () => abort.abort(),
    })
    await expect(run).rejects.toMatchObject({ code: 'aborted' })
  })
})
