import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeClaim, registerBatch } from '../testing/claim.ts'
import { openFactory } from '../testing/manufacturer.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

// The client of this project with every credential that this server takes.

const acme = openFactory('acme')
let testbed: Testbed
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-devices-'))
  testbed = await openTestbed({
    approvals: true,
    approvalRetry: 1000,
    manufacturers: { acme: { trust: acme.trust, identifier: 'serialNumber' } },
  })
})
afterAll(async () => {
  await testbed.close()
  acme.close()
  await rm(folder, { recursive: true })
})

type Options = Parameters<typeof enrollDevice>[0]

async function enroll(id: string, credential: NonNullable<Options['credential']>, retry?: Options['retry']) {
  const est = createEstClient({ url: `https://localhost:${testbed.port}`, trust: [testbed.root] })
  const store = openIdentityStore(join(folder, id))
  try {
    return await enrollDevice({ id, est, store, credential, ...(retry && { retry }) })
  } finally {
    est.close()
  }
}

describe('a device of this project', () => {
  it('enrolls with a claim, and with a certificate from its factory', async () => {
    await registerBatch(testbed, 'july', ['claimed-1'])
    const { identity } = await makeClaim(testbed, 'line-1', 'july')
    expect((await enroll('claimed-1', { identity })).how).toBe('enrolled')

    const idevid = { manufacturer: 'acme', serialNumber: 'SN1' }
    await command(testbed, '/v1/devices', { id: 'made-1', idevid })
    const factory = acme.device({ serialNumber: 'SN1' })
    const { identity: made } = await enroll('made-1', { identity: factory })
    expect(made.certificate.subjectAltNames).toEqual([
      { type: 'uri', value: 'spiffe://fleet.example/device/made-1' },
    ])
  })

  it('asks an operator, and polls until it is approved', async () => {
    const enrolling = enroll('asking-1', 'approval', { maxAttempts: 60 })
    const pending = async () => {
      const { json } = await testbed.request('/v1/approvals?state=pending', { identity: testbed.operator })
      return json['items'] as { id: string }[]
    }
    await expect.poll(pending, { timeout: 30_000 }).toHaveLength(1)
    const [waiting] = await pending()
    await command(testbed, `/v1/approvals/${waiting?.id}/approve`, {})
    const { identity, how } = await enrolling
    expect(how).toBe('enrolled')
    expect(identity.certificate.publicKeyFingerprint).toBe(waiting?.id)
  })

  it('is told that it has to wait, and that it was denied', async () => {
    await expect(enroll('asking-2', 'approval')).rejects.toMatchObject({
      code: 'pending',
      retryAfterMs: 1000,
    })
    const { json } = await testbed.request('/v1/approvals?state=pending', { identity: testbed.operator })
    const [waiting] = json['items'] as { id: string }[]
    await command(testbed, `/v1/approvals/${waiting?.id}/deny`, {})
    await expect(enroll('asking-2', 'approval')).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('an operator denied it') as string,
    })
  })
})
