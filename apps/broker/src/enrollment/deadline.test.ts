import { DeviceClientError } from '@fleetroot/device-client'
import { describe, expect, test } from 'vitest'
import { startDeadline } from './deadline.ts'

const never = new AbortController().signal

describe('waiting for the enrollment server', () => {
  test('goes on until it answers, and says once what it waits for', async () => {
    const waits: string[] = []
    const deadline = startDeadline(60_000, never, (what) => waits.push(what))
    let attempts = 0
    const answer = await deadline.insist('the server', async () => {
      if ((attempts += 1) < 3) throw new DeviceClientError('network-failed', 'nobody there')
      return 'answer'
    })
    expect([answer, attempts, waits]).toEqual(['answer', 3, ['the server']])
  })

  test('ends when the time is up, with what was missing, why, and what to do', async () => {
    const deadline = startDeadline(30, never, () => undefined)
    const waiting = deadline.insist('the server', async () => {
      throw new DeviceClientError('network-failed', 'nobody there')
    })
    await expect(waiting).rejects.toMatchObject({
      code: 'enrollment-unreachable',
      message:
        'gave up waiting for the server after 30ms (nobody there); start the enrollment server, say where it is with --enrollment-url, or wait longer with --wait',
    })
  })

  test('gives the reason of a server that answers, and does not ask to start it', async () => {
    const deadline = startDeadline(30, never, () => undefined)
    const waiting = deadline.insist('the server', async () => {
      throw new DeviceClientError('server-failed', 'GET /v1/ca failed (503): registry: try again later', {
        status: 503,
      })
    })
    await expect(waiting).rejects.toMatchObject({
      code: 'enrollment-unreachable',
      message:
        'gave up waiting for the server after 30ms: it answers, but GET /v1/ca failed (503): registry: try again later; see its log, or wait longer with --wait',
    })
  })

  test('ends at once when the answer is no', async () => {
    const deadline = startDeadline(60_000, never, () => undefined)
    const refused = deadline.insist('the server', async () => {
      throw new DeviceClientError('credential-refused', 'the token was used')
    })
    await expect(refused).rejects.toMatchObject({ code: 'credential-refused' })
  })

  test('ends at once when the process is to stop', async () => {
    const stop = new AbortController()
    const deadline = startDeadline(60_000, stop.signal, () => stop.abort())
    await expect(deadline.until('a file', async () => undefined)).rejects.toMatchObject({
      name: 'AbortError',
    })
  })

  test('for a file ends when it is there or the time is up', async () => {
    let looks = 0
    const deadline = startDeadline(60_000, never, () => undefined)
    expect(await deadline.until('a file', async () => ((looks += 1) < 2 ? undefined : 'text'))).toBe('text')
    const short = startDeadline(30, never, () => undefined)
    await expect(short.until('a file', async () => undefined)).rejects.toMatchObject({
      code: 'enrollment-unreachable',
    })
  })
})
