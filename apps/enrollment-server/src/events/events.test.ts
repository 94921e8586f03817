import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { enrolledDevice } from '../testing/enroll.ts'
import { type Subscriber, subscribe } from '../testing/events.ts'
import { command } from '../testing/operator.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
const subscribers: Subscriber[] = []
const day = 86_400_000
beforeEach(async () => {
  testbed = await openTestbed()
})
afterEach(async () => {
  for (const subscriber of subscribers.splice(0)) subscriber.close()
  await testbed.close()
})

async function follow(
  options: { after?: number; headers?: Record<string, string>; identity?: Identity | undefined } = {},
): Promise<Subscriber> {
  const { identity = testbed.operator } = options
  const subscriber = await subscribe(testbed, identity, options)
  subscribers.push(subscriber)
  return subscriber
}

describe('the event stream', () => {
  it('tells a whole life in order, with certificates, issuers and reasons', async () => {
    const stream = await follow()
    const { certificate } = await enrolledDevice(testbed, 'pump-7')
    const { serial } = certificate
    for (const change of ['suspend', 'resume', 'revoke', 'retire']) {
      await command(
        testbed,
        `/v1/devices/pump-7/${change}`,
        change === 'revoke' ? { reason: 'keyCompromise' } : {},
      )
    }
    const events = await stream.take(5)
    expect(stream.response.headers['content-type']).toBe('text/event-stream')
    const first = events[0]?.id ?? 0
    expect(events.map(({ id, type }) => [id - first, type])).toEqual([
      [0, 'issued'],
      [1, 'suspended'],
      [2, 'resumed'],
      [3, 'revoked'],
      [4, 'retired'],
    ])
    expect(events.map(({ data }) => data['certificates'])).toEqual([
      [{ issuer: 'devices', serial }],
      [{ issuer: 'devices', serial, reason: 'certificateHold' }],
      [{ issuer: 'devices', serial }],
      [{ issuer: 'devices', serial, reason: 'keyCompromise' }],
      [],
    ])
    expect(events[0]?.data).toMatchObject({
      id: first,
      type: 'issued',
      deviceId: 'pump-7',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
  })

  it('goes on where a subscriber stopped, by header or by query', async () => {
    for (const id of ['a', 'b', 'c']) await enrolledDevice(testbed, id)
    const whole = await follow({ after: 0 })
    // The server's own certificates come before: its own, the operator's and the signers of OCSP.
    const all = await whole.take(7)
    expect(all.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7])
    const header = await follow({ headers: { 'last-event-id': '5' } })
    expect(await header.take(2)).toEqual(all.slice(5))
    expect(header.text()).not.toContain('reset')
  })

  it('says reset to a subscriber that was away too long, and to one that knows what never was', async () => {
    await testbed.close()
    testbed = await openTestbed({ operatorLifetime: 30 * day }, 8 * day)
    await enrolledDevice(testbed, 'a')
    testbed.advance(8 * day)
    await testbed.refresh()
    for (const after of [1, 1000]) {
      const stream = await follow({ after })
      const [reset] = await stream.take(1)
      expect(reset).toMatchObject({ type: 'reset', data: { id: reset?.id, type: 'reset' } })
      await command(testbed, `/v1/devices/a/${after === 1 ? 'suspend' : 'resume'}`)
      const [, live] = await stream.take(2)
      expect(live).toMatchObject({ id: (reset?.id ?? 0) + 1, data: { deviceId: 'a' } })
    }
  })

  it('keeps a quiet connection alive with a comment', async () => {
    const stream = await follow()
    const first = stream.text().length
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (stream.text().length === first) return
        stream.response.off('data', look)
        resolve()
      }
      stream.response.on('data', look)
    })
    expect(stream.text()).toMatch(/^(: alive\n\n)+$/)
  })

  it('is for services and operators, not for devices, and not for nobody', async () => {
    const service = await enrolledDevice(testbed, 'broker-2', { profile: 'service' })
    expect((await follow({ identity: service.identity })).status).toBe(200)
    const device = await enrolledDevice(testbed, 'curious')
    expect((await follow({ identity: device.identity })).status).toBe(403)
    const anonymous = await subscribe(testbed, undefined)
    subscribers.push(anonymous)
    expect(anonymous.status).toBe(403)
  })

  it.each(['x', '-1', '1.5', '1 2'])('refuses the id %j', async (id) => {
    const answer = await testbed.request('/v1/events', {
      identity: testbed.operator,
      headers: { 'last-event-id': id },
    })
    expect(answer.json).toMatchObject({ code: 'field-invalid' })
  })

  it('has room for others, however many one service opens, and for it again when it closes one', async () => {
    const greedy = await enrolledDevice(testbed, 'greedy', { profile: 'service', dns: ['localhost'] })
    const opened = await Promise.all(Array.from({ length: 34 }, () => follow({ identity: greedy.identity })))
    const [first] = opened.filter(({ status }) => status === 200)
    const refused = opened.filter(({ status }) => status !== 200)
    expect(refused.map(({ status }) => status)).toEqual([503, 503])
    await expect
      .poll(() => refused[0]?.text())
      .toContain('"detail":"events: 32 streams of greedy are open; close one"')
    expect(refused[0]?.response.headers['retry-after']).toBe('5')
    expect((await follow()).status).toBe(200)
    first?.close()
    await expect.poll(async () => (await follow({ identity: greedy.identity })).status).toBe(200)
  })

  it('ends for a service whose own certificate is revoked or held, after it was told', async () => {
    for (const [id, change] of [
      ['broker-3', 'revoke'],
      ['broker-4', 'suspend'],
    ] as const) {
      const { identity } = await enrolledDevice(testbed, id, { profile: 'service' })
      const stream = await follow({ identity })
      await command(testbed, `/v1/devices/${id}/${change}`)
      await stream.ended
      expect(stream.events().map(({ data }) => data['deviceId'])).toEqual([id])
    }
  })

  it('does not keep the server from stopping', async () => {
    const stream = await follow()
    const stopped = performance.now()
    await testbed.close()
    await stream.ended
    // The listeners cut what is left after 5 s: nothing was left.
    expect(performance.now() - stopped).toBeLessThan(4000)
    testbed = await openTestbed()
  })

  it('waits for a subscriber that does not read, and has everything for it when it does', async () => {
    const slow = await follow()
    slow.response.pause()
    slow.response.removeAllListeners('data')
    await testbed.token('busy')
    // Far more than the buffers of both sockets hold.
    for (let n = 0; n < 300; n++) {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          command(testbed, `/v1/devices/busy/${n % 2 ? 'resume' : 'suspend'}`),
        ),
      )
    }
    const chunks: string[] = []
    await new Promise<void>((resolve) => {
      slow.response.on('data', (chunk: string) => {
        chunks.push(chunk)
        if (chunks.join('').split('event: resumed').length > 150) resolve()
      })
      slow.response.resume()
    })
    const ids = [...chunks.join('').matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => (ids[0] ?? 0) + n))
  })
})
