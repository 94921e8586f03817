import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { identity } from '../testing/bench-engine.ts'
import { comeBack, listen, texts, type Generation, startGeneration } from '../testing/crash.ts'
import type { WireClient } from '../testing/wire-client.ts'

const pump = identity('device', 'pump')
const backend = identity('service', 'backend')

let first: Generation

beforeEach(async () => {
  first = await startGeneration()
})
afterEach(async () => {
  await first.close()
})

const telemetry = 'devices/pump/telemetry/t'
const publishPacket = (messageId: number, payload: string) =>
  ({ cmd: 'publish', topic: telemetry, payload, qos: 2, messageId, retain: false, dup: false }) as const

describe('after a kill', () => {
  test('what was acknowledged waits for everyone who is to get it, and nothing is lost or out of order', async () => {
    const service = await listen(first, 1)
    await service.leave('abruptly')
    const device = await first.bench.connect(pump)
    const sent = Array.from({ length: 300 }, (_, n) => String(n))
    for (const text of sent.slice(0, 100)) await device.publish(telemetry, text)
    await Promise.all(sent.slice(100).map((text) => device.publish(telemetry, text)))
    const second = await first.crash()
    expect(second.opened.loaded).toMatchObject({ sessions: 1, messages: 300 })
    const again = await comeBack(second)
    while (second.opened.store.counts.queued > 0) await again.ping()
    expect(again.messages.map(({ payload }) => payload.toString())).toEqual(sent)
    await second.opened.store.journal.flushed()
    const third = await second.crash()
    expect(third.opened.loaded.messages).toBe(0)
  })

  test('a message for many sessions is on disk once, until the last has it', async () => {
    const names = ['backend', 'backend.1', 'backend.2']
    for (const clientId of names) {
      const service = first.bench.open(backend)
      await service.connect({ clientId, clean: false })
      await service.subscribe('devices/#')
      await service.leave()
    }
    const device = await first.bench.connect(pump)
    await device.publish(telemetry, 'x'.repeat(100_000))
    const second = await first.crash()
    expect(second.opened.loaded).toMatchObject({ sessions: 3, messages: 3, orphans: 0 })
    for (const [index, clientId] of names.entries()) {
      const service = second.bench.open(backend)
      await service.connect({ clientId, clean: false })
      expect((await service.message(telemetry)).payload.length).toBe(100_000)
      await service.ping()
      await second.opened.store.journal.flushed()
      const third = await second.crash()
      expect(third.opened.loaded).toMatchObject({ messages: 2 - index, orphans: 0 })
    }
  })

  test('a client that was connected gets what it had not acknowledged under the same identifier, as sent before', async () => {
    const service = await listen(first, 1)
    service.answers = false
    const device = await first.bench.connect(pump)
    await device.publish(telemetry, 'a')
    const before = await service.message(telemetry)
    const after = await (await comeBack(await first.crash())).message(telemetry)
    expect(after).toMatchObject({ messageId: before.messageId, dup: true })
    expect(before.dup).toBe(false)
  })

  test('a client that had left gets what it never saw as new', async () => {
    const service = await listen(first, 1)
    service.answers = false
    const device = await first.bench.connect(pump)
    await device.publish(telemetry, 'seen')
    await service.message(telemetry)
    await service.leave('abruptly')
    await device.publish(telemetry, 'unseen')
    const again = await comeBack(await first.crash())
    expect([(await again.message(telemetry)).dup, (await again.message(telemetry)).dup]).toEqual([
      true,
      false,
    ])
  })

  test('a session is present, with and without filters, and one that was given up is not', async () => {
    await (await first.bench.connect(pump, false)).leave()
    await listen(first, 1)
    await (await first.bench.connect(identity('device', 'gone'), false)).leave()
    await first.bench.connect(identity('device', 'gone'), true)
    const second = await first.crash()
    for (const who of [pump, backend, identity('device', 'gone')]) {
      const connack = await second.bench.open(who).connect({ clientId: who.id, clean: false })
      expect(connack.sessionPresent, who.id).toBe(who.id !== 'gone')
    }
  })

  test('a filter that was given up stays so', async () => {
    const service = await listen(first, 1)
    service.send({ cmd: 'unsubscribe', messageId: 9, unsubscriptions: ['devices/#'] })
    await service.receive('unsuback')
    const second = await first.crash()
    await (await second.bench.connect(pump)).publish(telemetry, 'x')
    expect(await texts(await comeBack(second))).toEqual([])
  })

  test('retained messages are there, the last of each topic, and those that were cleared are not', async () => {
    const device = await first.bench.connect(pump)
    await device.publish('devices/pump/state', 'old', { retain: true })
    await device.publish('devices/pump/state', 'new', { retain: true, qos: 2 })
    await device.publish(telemetry, 'kept', { retain: true, qos: 0 })
    await device.publish('devices/pump/telemetry/u', 'cleared', { retain: true })
    await device.publish('devices/pump/telemetry/u', '', { retain: true })
    const second = await first.crash()
    const service = await second.bench.connect(backend)
    await service.subscribe('devices/#')
    expect((await texts(service)).sort()).toEqual(['kept', 'new'])
    expect(service.messages.every(({ retain }) => retain)).toBe(true)
  })
})

describe('QoS 2 after a kill at each of its steps', () => {
  const steps: readonly [string, (device: WireClient) => Promise<void>][] = [
    ['before the PUBREC has come', async (device) => device.send(publishPacket(5, 'once'))],
    [
      'after the PUBREC',
      async (device) => {
        device.send(publishPacket(5, 'once'))
        await device.receive('pubrec')
      },
    ],
    [
      'after the PUBREL',
      async (device) => {
        device.send(publishPacket(5, 'once'))
        await device.receive('pubrec')
        device.send({ cmd: 'pubrel', messageId: 5 })
      },
    ],
    [
      'after the PUBCOMP',
      async (device) => {
        device.send(publishPacket(5, 'once'))
        await device.receive('pubrec')
        device.send({ cmd: 'pubrel', messageId: 5 })
        await device.receive('pubcomp')
      },
    ],
  ]
  for (const [index, [name, begin]] of steps.entries()) {
    test(`to the broker: ${name}, a message goes on once, whatever its sender repeats`, async () => {
      await (await listen(first, 2)).leave()
      const device = await first.bench.connect(pump, false)
      await begin(device)
      const second = await first.crash()
      const service = await comeBack(second)
      const again = await second.bench.connect(pump, false)
      // A sender that has the PUBREC repeats the PUBREL, one that has the PUBCOMP nothing, any other the PUBLISH.
      if (index < 1) again.send({ ...publishPacket(5, 'once'), dup: true })
      if (index < 1) await again.receive('pubrec')
      if (index < 3) again.send({ cmd: 'pubrel', messageId: 5 })
      if (index < 3) await again.receive('pubcomp')
      // The identifier is free: the next message under it is another message.
      again.send(publishPacket(5, 'next'))
      await again.receive('pubrec')
      expect(await texts(service)).toEqual(['once', 'next'])
    })
  }

  test('to the broker: two equal packets that come at once are one message', async () => {
    const service = await listen(first, 2)
    const device = await first.bench.connect(pump, false)
    device.stream.cork()
    for (let n = 0; n < 3; n++) device.send(publishPacket(5, 'once'))
    device.stream.uncork()
    for (let n = 0; n < 3; n++) await device.receive('pubrec')
    expect(await texts(service)).toEqual(['once'])
  })

  test('from the broker: a receiver that has the message is sent its PUBREL, under the same identifier', async () => {
    const service = await listen(first, 2)
    service.answers = false
    await (await first.bench.connect(pump)).publish(telemetry, 'once', { qos: 2 })
    const { messageId = 0 } = await service.message(telemetry)
    const beforePubrec = await first.crash()
    service.send({ cmd: 'pubrec', messageId })
    await service.receive('pubrel')
    const afterPubrec = await first.crash()

    const early = await comeBack(beforePubrec)
    expect(await early.message(telemetry)).toMatchObject({ messageId, dup: true, qos: 2 })
    const late = await comeBack(afterPubrec)
    expect(await late.receive('pubrel')).toMatchObject({ messageId })
    expect(await texts(late)).toEqual([])
    // Its PUBCOMP ends it for good.
    await afterPubrec.opened.store.journal.flushed()
    expect((await afterPubrec.crash()).opened.loaded.messages).toBe(0)
  })

  test('from the broker: a message for two is there for the second when the first is done with it', async () => {
    for (const clientId of ['backend', 'backend.1']) {
      const service = first.bench.open(backend)
      await service.connect({ clientId, clean: false })
      await service.subscribeAt(2, 'devices/#')
      if (clientId !== 'backend') await service.leave()
    }
    await (await first.bench.connect(pump)).publish(telemetry, 'for both', { qos: 2 })
    while (first.opened.store.counts.queued > 1) await new Promise((resolve) => setImmediate(resolve))
    await first.opened.store.journal.flushed()
    const second = await first.crash()
    const other = second.bench.open(backend)
    await other.connect({ clientId: 'backend.1', clean: false })
    expect((await other.message(telemetry)).payload.toString()).toBe('for both')
  })

  test('new messages get none of the identifiers that wait', async () => {
    const service = await listen(first, 2)
    service.answers = false
    const device = await first.bench.connect(pump)
    for (let n = 0; n < 20; n++) await device.publish(telemetry, String(n), { qos: 2 })
    await service.ping()
    const used = new Set(service.messages.map(({ messageId }) => messageId))
    expect(used.size).toBe(20)
    const second = await first.crash()
    const again = await comeBack(second)
    again.answers = false
    await (await second.bench.connect(pump)).publish(telemetry, 'new')
    await again.ping()
    expect(again.messages.length).toBe(21)
    expect(used.has(again.messages.at(-1)!.messageId)).toBe(false)
  })
})
