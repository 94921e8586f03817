import { openLink, startDevice, startSystem, type System, transports } from '@fleetroot/harness'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createEstClient, enrollDevice, openIdentityStore } from '@fleetroot/device-client'
import { createCsr, generateKeyPair, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let system: System
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system[Symbol.asyncDispose]())

/** Serials of all certificates that the registry knows of a device. */
async function recorded(id: string): Promise<string[]> {
  const { status, body } = await system.admin.call('GET', `/v1/certificates?deviceId=${id}`)
  if (status !== 200) throw new Error(JSON.stringify(body))
  return (body as { items: { serial: string }[] }).items.map(({ serial }) => serial)
}

/** What the server says to another key with this token. */
async function withAnotherKey(id: string, token: string): Promise<unknown> {
  const csr = toPem(
    'CERTIFICATE REQUEST',
    createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: id }),
  )
  const authorization = `Bearer ${token}`
  const { body } = await system.admin.call('POST', '/v1/enrollments', { csr }, { authorization })
  return (body as { code?: string }).code
}

describe('an enrollment server that is killed', () => {
  test.each(transports)(
    'between recording a certificate and answering gives the same one to the same request, and the token is good for no other; the device connects with it over %s',
    async (transport) => {
      const id = `killed-${transport}`
      const token = await system.admin.token(id)
      const link = await openLink(Number(new URL(system.serverUrl).port))
      link.loseAnswers()
      const orders = { ...system.orders(id, { transport, token }), estUrl: `https://127.0.0.1:${link.port}` }
      const device = system.keep(startDevice(orders))
      await expect.poll(() => recorded(id), { timeout: 60_000 }).toHaveLength(1)
      const [serial = ''] = await recorded(id)
      expect(device.output()).not.toContain('enrolled')

      await system.server.stop('SIGKILL')
      link.set('up')
      await system.restartServer()
      // By itself: it repeats the request that it never had an answer to.
      await device.waitFor(new RegExp(`^enrolled ${serial}$`, 'm'))
      await device.waitFor(/^acknowledged/m)
      expect(await recorded(id)).toEqual([serial])
      expect(await withAnotherKey(id, token)).toBe('token-used')
      await device.stop('SIGKILL')
      await link.close()
    },
  )

  test('at any moment of many enrollments has recorded one certificate for each device in the end, and each device has it', async () => {
    const trust = [readFileSync(join(system.data, 'public/root.crt'), 'utf8')]
    const est = createEstClient({ url: system.serverUrl, trust })
    for (let round = 0; round < 4; round++) {
      const ids = Array.from({ length: 12 }, (_, n) => `many-${round}-${n}`)
      const tokens = await Promise.all(ids.map((id) => system.admin.token(id)))
      const enrolling = ids.map(async (id, n) => {
        const store = openIdentityStore(system.orders(id).directory)
        const token = tokens[n] ?? ''
        const { identity } = await enrollDevice({
          id,
          est,
          store,
          credential: { token },
          retry: { backoff: () => 50 },
        })
        return identity.certificate.serial
      })
      // Before, among or after the answers: each round hits it elsewhere.
      await delay(randomInt(150))
      await system.server.stop('SIGKILL')
      await system.restartServer()
      const serials = await Promise.all(enrolling)
      expect(await Promise.all(ids.map(recorded))).toEqual(serials.map((serial) => [serial]))
      const refusals = await Promise.all(ids.map((id, n) => withAnotherKey(id, tokens[n] ?? '')))
      expect(new Set(refusals)).toEqual(new Set(['token-used']))
    }
    est.close()
  })
})
