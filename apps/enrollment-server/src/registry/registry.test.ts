import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { DeviceId } from '@fleetroot/pki'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { schemaVersion } from './migrations.ts'
import type { NewCertificate, Registry } from './registry.ts'
import { openSqliteRegistry } from './sqlite-registry.ts'

const now = 1_000_000_000_000
const sensor = 'sensor-1' as DeviceId

let folder: string
let file: string
let registry: Registry

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-registry-'))
  file = join(folder, 'registry.db')
  registry = await openSqliteRegistry(file)
  await addDevice(sensor)
})

afterEach(async () => {
  await registry.close()
  await rm(folder, { recursive: true })
})

const addDevice = (id: string) =>
  registry.addDevice({ id: id as DeviceId, profile: 'device', dns: [], ip: [], labels: {}, createdAtMs: now })

const addToken = (hash: string, expiresAtMs = now + 1000) =>
  registry.addToken({ hash, deviceId: sensor, createdAtMs: now, expiresAtMs })

function certificate(
  options: { tokenHash?: string; publicKey?: string; deviceId?: string; at?: number } = {},
) {
  const { tokenHash, publicKey = randomBytes(32).toString('hex'), deviceId = sensor, at = now } = options
  return {
    certificate: {
      serial: randomBytes(16).toString('hex'),
      deviceId: deviceId as DeviceId,
      profile: 'device',
      issuer: 'devices',
      publicKey,
      notBeforeMs: at,
      notAfterMs: at + 1000,
      issuedAtMs: at,
      der: new Uint8Array(randomBytes(600)),
    },
    ...(tokenHash !== undefined && { tokenHash }),
    retryWindowMs: 600_000,
  } satisfies NewCertificate
}

const operator = { kind: 'operator', id: 'operator' } as const

describe('the life of certificates', () => {
  it('refuses to renew a certificate that was revoked meanwhile', async () => {
    const first = certificate()
    await registry.recordCertificate(first)
    const { serial } = first.certificate
    await registry.revokeCertificate({ serial, reason: 'keyCompromise', atMs: now, by: operator })
    expect(await registry.recordCertificate({ ...certificate(), renews: serial })).toEqual({
      outcome: 'refused',
      code: 'certificate-inactive',
    })
  })

  it('refuses to renew a certificate whose successor has connected meanwhile', async () => {
    const first = certificate()
    const second = certificate()
    await registry.recordCertificate(first)
    const renews = first.certificate.serial
    expect(await registry.recordCertificate({ ...second, renews })).toEqual({ outcome: 'recorded' })
    await registry.activateCertificates({ serials: [second.certificate.serial], atMs: now, by: operator })
    expect(await registry.recordCertificate({ ...certificate(), renews })).toEqual({
      outcome: 'refused',
      code: 'certificate-inactive',
    })
  })

  it('lets a device renew until it has a hundred that are good, and again when some are not any more', async () => {
    const renew = (at = now) =>
      registry.recordCertificate({ ...certificate({ at }), renews: first.certificate.serial })
    const first = certificate()
    await registry.recordCertificate(first)
    const outcomes = await Promise.all(Array.from({ length: 120 }, () => renew()))
    expect(outcomes.filter(({ outcome }) => outcome === 'recorded')).toHaveLength(99)
    expect(outcomes.at(-1)).toEqual({ outcome: 'refused', code: 'renewals-limited' })
    // All have expired by then.
    expect(await renew(now + 1000)).toEqual({ outcome: 'recorded' })
  })

  it('leaves events without gaps when others in their transaction are undone', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => {
        const one = certificate()
        // The same serial twice is refused by the table, after the decision.
        const serial = n % 3 === 0 ? 'ab' : one.certificate.serial
        return registry.recordCertificate({ ...one, certificate: { ...one.certificate, serial } })
      }),
    )
    const recorded = outcomes.filter(({ status }) => status === 'fulfilled').length
    const events = await registry.listEvents({ after: 0, limit: 100 })
    expect(recorded).toBeLessThan(20)
    expect(events.map(({ id }) => id)).toEqual(Array.from({ length: recorded }, (_, n) => n + 1))
  })

  it('forgets the oldest events and never the newest, so that no id is used twice', async () => {
    for (let n = 0; n < 5; n++) await registry.recordCertificate(certificate({ at: now + n }))
    expect(await registry.pruneEvents({ beforeMs: now + 2, keep: 100, limit: 100 })).toBe(2)
    expect(await registry.eventHeads(undefined)).toMatchObject({ first: 3, last: 5 })
    expect(await registry.pruneEvents({ beforeMs: 0, keep: 2, limit: 100 })).toBe(1)
    expect(await registry.pruneEvents({ beforeMs: now + 99, keep: 100, limit: 100 })).toBe(1)
    await registry.recordCertificate(certificate())
    expect(await registry.eventHeads(undefined)).toMatchObject({ first: 5, last: 6 })
  })
})

describe('devices', () => {
  it('keeps an existing device as it is when the id is added again', async () => {
    expect(
      await registry.addDevice({
        id: sensor,
        profile: 'service',
        dns: ['x'],
        ip: [],
        labels: {},
        createdAtMs: 1,
      }),
    ).toBe(false)
    expect(await registry.findDevice(sensor)).toEqual({
      id: sensor,
      profile: 'device',
      state: 'registered',
      dns: [],
      ip: [],
      labels: {},
      createdAtMs: now,
    })
  })

  it('lists every device once, page by page, in the order of ids', async () => {
    for (const n of [5, 3, 4, 2]) await addDevice(`sensor-${n}`)
    const first = await registry.listDevices({ limit: 3 })
    const second = await registry.listDevices({ limit: 3, after: first[2]?.id ?? '' })
    expect([...first, ...second].map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((n) => `sensor-${n}`))
  })

  it('lists by state', async () => {
    await addDevice('sensor-2')
    await registry.recordCertificate(certificate())
    expect((await registry.listDevices({ limit: 9, state: 'enrolled' })).map(({ id }) => id)).toEqual([
      sensor,
    ])
    expect((await registry.listDevices({ limit: 9, state: 'registered' })).map(({ id }) => id)).toEqual([
      'sensor-2',
    ])
  })

  it('takes an id full of SQL as the text that it is', async () => {
    const id = `x'); DROP TABLE devices; --`
    await addDevice(id)
    expect((await registry.findDevice(id as DeviceId))?.id).toBe(id)
    expect(await registry.findDevice(sensor)).toBeDefined()
  })
})

describe('certificates and tokens', () => {
  it('adds no token for a device that it does not know', async () => {
    const token = { hash: 'h', deviceId: 'ghost' as DeviceId, createdAtMs: now, expiresAtMs: now + 1 }
    expect(await registry.addToken(token)).toBe(false)
  })

  it('records a certificate, uses up the token and enrolls the device in one step', async () => {
    await addToken('hash')
    const issued = certificate({ tokenHash: 'hash' })
    expect(await registry.recordCertificate(issued)).toEqual({ outcome: 'recorded' })
    const { serial, publicKey, notAfterMs } = issued.certificate
    const found = await registry.findToken('hash')
    expect(found?.token.used).toEqual({ atMs: now, publicKey, serial })
    expect(found?.device).toMatchObject({ state: 'enrolled', certificate: { serial, notAfterMs } })
    expect(await registry.findCertificate(serial)).toEqual({ ...issued.certificate, status: 'issued' })
    expect(await registry.findKeyHolder(publicKey)).toBe(sensor)
  })

  it('lets exactly one of fifty certificates use a token, and remembers only that one', async () => {
    await addToken('hash')
    const all = Array.from({ length: 50 }, () => certificate({ tokenHash: 'hash' }))
    const outcomes = await Promise.all(all.map((one) => registry.recordCertificate(one)))
    expect(outcomes.filter(({ outcome }) => outcome === 'recorded')).toHaveLength(1)
    expect(outcomes.filter((one) => one.outcome === 'refused' && one.code === 'token-used')).toHaveLength(49)
    const known = await Promise.all(all.map((one) => registry.findCertificate(one.certificate.serial)))
    expect(known.filter(Boolean)).toHaveLength(1)
  })

  it('lets exactly one of two processes use a token', async () => {
    await addToken('hash')
    const other = await openSqliteRegistry(file)
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          (n % 2 ? registry : other).recordCertificate(certificate({ tokenHash: 'hash' })),
        ),
      )
      expect(outcomes.filter(({ outcome }) => outcome === 'recorded')).toHaveLength(1)
    } finally {
      await other.close()
    }
  })

  it('answers the same key with the certificate that the token was used for, for ten minutes', async () => {
    await addToken('hash')
    const first = certificate({ tokenHash: 'hash' })
    await registry.recordCertificate(first)
    const { publicKey, serial } = first.certificate
    const again = (at: number) =>
      registry.recordCertificate(certificate({ tokenHash: 'hash', publicKey, at }))
    expect(await again(now + 599_999)).toMatchObject({ outcome: 'repeated', certificate: { serial } })
    expect(await again(now + 600_000)).toEqual({ outcome: 'refused', code: 'token-used' })
  })

  it('does not let an expired token be used', async () => {
    await addToken('hash', now)
    expect(await registry.recordCertificate(certificate({ tokenHash: 'hash' }))).toEqual({
      outcome: 'refused',
      code: 'token-expired',
    })
  })

  it('does not let a token be used for another device', async () => {
    await addToken('hash')
    await addDevice('sensor-2')
    const outcome = await registry.recordCertificate(certificate({ tokenHash: 'hash', deviceId: 'sensor-2' }))
    expect(outcome.outcome).toBe('refused')
    expect((await registry.findToken('hash'))?.token.used).toBeUndefined()
  })

  it('refuses a key that another device holds, and leaves the token unused', async () => {
    await addDevice('sensor-2')
    const first = certificate({ deviceId: 'sensor-2' })
    await registry.recordCertificate(first)
    await addToken('hash')
    const { publicKey } = first.certificate
    expect(await registry.recordCertificate(certificate({ tokenHash: 'hash', publicKey }))).toEqual({
      outcome: 'refused',
      code: 'key-in-use',
    })
    expect((await registry.findToken('hash'))?.token.used).toBeUndefined()
  })
})

describe('the store', () => {
  it('undoes a failing operation alone and keeps its neighbours of the same transaction', async () => {
    await addToken('hash')
    const good = certificate()
    const duplicate = { ...certificate({ tokenHash: 'hash' }) }
    const clash = { ...duplicate, certificate: { ...duplicate.certificate, serial: good.certificate.serial } }
    const [first, second, third] = await Promise.allSettled([
      registry.recordCertificate(good),
      registry.recordCertificate(clash),
      addDevice('sensor-3'),
    ])
    expect([first.status, second.status, third.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    // The token was consumed before the insert failed: the savepoint gave it back.
    expect((await registry.findToken('hash'))?.token.used).toBeUndefined()
    expect(await registry.findDevice('sensor-3' as DeviceId)).toBeDefined()
  })

  it('finds everything again after it was closed and opened', async () => {
    const issued = certificate()
    await registry.recordCertificate(issued)
    await registry.close()
    registry = await openSqliteRegistry(file)
    expect(await registry.findCertificate(issued.certificate.serial)).toBeDefined()
  })

  it('commits what was asked before it closes, and refuses what is asked after', async () => {
    const asked = addDevice('late')
    await registry.close()
    expect(await asked).toBe(true)
    await expect(addDevice('too-late')).rejects.toMatchObject({ code: 'registry-closed' })
  })

  it('refuses a file of a newer version, in one sentence', async () => {
    await registry.close()
    const database = new DatabaseSync(file)
    database.exec(`PRAGMA user_version = ${schemaVersion + 1}`)
    database.close()
    await expect(openSqliteRegistry(file)).rejects.toMatchObject({
      code: 'registry-newer',
      message: expect.stringContaining('start the newer program'),
    })
  })

  it('says which file cannot be opened', async () => {
    await expect(openSqliteRegistry(join(folder, 'missing', 'registry.db'))).rejects.toMatchObject({
      code: 'registry-open',
      message: expect.stringContaining('missing'),
    })
  })
})
