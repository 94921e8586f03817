import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enrolledDevice } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { certificateStatus, command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const path = '/v1/certificates/revocations'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const revoke = (json: object) => command(testbed, path, json)
const statusOf = async (serial: string) => (await certificateStatus(testbed, serial))['status']

describe('a batch of revocations', () => {
  it('revokes certificates and whole devices, says what became of each, and is as good twice as once', async () => {
    const [a, b, c] = [
      await enrolledDevice(testbed, 'a'),
      await enrolledDevice(testbed, 'b'),
      await enrolledDevice(testbed, 'c'),
    ]
    const batch = {
      serials: [a.certificate.serial, '0badc0de', a.certificate.serial.toUpperCase()],
      deviceIds: ['b', 'nobody'],
      reason: 'keyCompromise',
    }
    const unknown = [
      { serial: '0badc0de', status: 'refused', code: 'serial-unknown' },
      { deviceId: 'nobody', status: 'refused', code: 'device-unknown' },
    ]
    expect(await revoke(batch)).toMatchObject({
      status: 200,
      json: {
        revoked: 2,
        results: [
          { serial: a.certificate.serial, status: 'revoked' },
          unknown[0],
          { deviceId: 'b', status: 'revoked' },
          unknown[1],
        ],
      },
    })
    for (const { certificate } of [a, b]) {
      expect(await certificateStatus(testbed, certificate.serial)).toMatchObject({
        status: 'revoked',
        revocation: { reason: 'keyCompromise' },
      })
    }
    expect(await statusOf(c.certificate.serial)).toBe('issued')

    const again = await revoke({ ...batch, reason: 'superseded' })
    expect(again.json).toEqual({
      revoked: 0,
      results: [
        { serial: a.certificate.serial, status: 'unchanged' },
        unknown[0],
        { deviceId: 'b', status: 'unchanged' },
        unknown[1],
      ],
    })
    expect(await certificateStatus(testbed, a.certificate.serial)).toMatchObject({
      revocation: { reason: 'keyCompromise' },
    })
  })

  it('gives each device one event and one audit record, with all of its certificates', async () => {
    const [first, second] = [await enrolledDevice(testbed, 'both'), await enrolledDevice(testbed, 'single')]
    const subscriber = await subscribe(testbed, testbed.operator)
    await subscriber.take(0)
    const serials = [first.certificate.serial, second.certificate.serial]
    expect((await revoke({ serials, deviceIds: ['both'] })).json).toMatchObject({ revoked: 2 })
    const events = await subscriber.take(2)
    subscriber.close()
    expect(events.map(({ type, data }) => [type, data['deviceId'], data['certificates']])).toEqual([
      ['revoked', 'both', [{ issuer: 'devices', serial: serials[0], reason: 'unspecified' }]],
      ['revoked', 'single', [{ issuer: 'devices', serial: serials[1], reason: 'unspecified' }]],
    ])
    const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    const records = (json['items'] as { record: Record<string, unknown> }[])
      .map(({ record }) => record)
      .filter(({ type, deviceId }) => type === 'revoked' && (deviceId === 'both' || deviceId === 'single'))
    expect(records).toHaveLength(2)
    expect(records[0]).toMatchObject({ by: { kind: 'operator', id: 'operator' } })
  })

  it('takes certificates that are on hold', async () => {
    const { certificate } = await enrolledDevice(testbed, 'held')
    await command(testbed, '/v1/devices/held/suspend')
    expect((await revoke({ deviceIds: ['held'] })).json).toMatchObject({ revoked: 1 })
    expect(await statusOf(certificate.serial)).toBe('revoked')
  })

  it('takes a thousand, revoked in one transaction, with ids of the greatest length', async () => {
    const ids = Array.from({ length: 1000 }, (_, n) => `d${n}-`.padEnd(64, 'x'))
    using database = new DatabaseSync(testbed.file('registry.db'), { timeout: 10_000 })
    database.exec('BEGIN IMMEDIATE')
    const later = Date.now() + 86_400_000
    const device = database.prepare(
      `INSERT INTO devices (id, profile, state, dns, ip, labels, created_at, certificate, not_after)
       VALUES (?, 'device', 'enrolled', '[]', '[]', '{}', 0, ?, ?)`,
    )
    const certificate = database.prepare(
      `INSERT INTO certificates
         (serial, device_id, profile, issuer, public_key, not_before, not_after, status, issued_at, der)
       VALUES (?, ?, 'device', 'devices', ?, 0, ?, 'issued', 0, x'00')`,
    )
    for (const [n, id] of ids.entries()) {
      const serial = (0x10000000 + n).toString(16)
      device.run(id, serial, later)
      certificate.run(serial, id, id, later)
    }
    database.exec('COMMIT')

    const { json } = await revoke({ deviceIds: ids })
    expect(json['revoked']).toBe(1000)
    expect(new Set((json['results'] as { status: string }[]).map(({ status }) => status))).toEqual(
      new Set(['revoked']),
    )
  })

  it.each([
    [{}, 'body: name at least one certificate in serials, or one device in deviceIds'],
    [{ serials: 'ab' }, 'body.serials: must be a list of serial numbers'],
    [{ serials: ['xyz'] }, 'body.serials.0: must be a serial number in hexadecimal'],
    [{ deviceIds: ['a b'] }, 'body.deviceIds.0: must be 1 to 64 letters'],
    [{ deviceIds: ['a'], reason: 'certificateHold' }, 'body.reason: must be one of unspecified'],
    [{ serials: Array.from({ length: 1001 }, () => '01') }, 'must be at most 1000 together; send the rest'],
  ])('with %j is refused whole', async (json, detail) => {
    expect(await revoke(json)).toMatchObject({
      status: 400,
      json: { code: 'field-invalid', detail: expect.stringContaining(detail) },
    })
  })
})
