import type { StoredIdentity } from '@fleetroot/device-client'
import { type Certificate, parseCertificates, parseDeviceId } from '@fleetroot/pki'
import { beforeAll, describe, expect, test } from 'vitest'
import { issueFor, makeAuthority, type TestAuthority, type Wish } from '../testing/authority.ts'
import { shakeHands } from './own-handshake.ts'

let authority: TestAuthority
beforeAll(async () => {
  authority = await makeAuthority()
})

async function identity(wish: Partial<Wish> = {}, from = authority): Promise<StoredIdentity> {
  const { key, cert } = await issueFor(from, { id: 'broker', profile: 'service', ...wish })
  const [certificate, ...chain] = parseCertificates(cert) as [Certificate, ...Certificate[]]
  return {
    id: parseDeviceId('broker'),
    key,
    cert,
    certificate,
    chain,
    obtainedAt: new Date(),
  }
}

const shake = (staged: StoredIdentity): Promise<void> =>
  shakeHands(staged, { trust: [authority.root.pem], mode: 'compatible' })

describe('the handshake of the broker with itself', () => {
  test('succeeds with a certificate that clients will accept', async () => {
    await expect(shake(await identity())).resolves.toBeUndefined()
  })

  test('fails with one that a client does not accept, and says why', async () => {
    const other = await identity({}, await makeAuthority())
    await expect(shake(other)).rejects.toMatchObject({
      code: 'identity-unusable',
      message: expect.stringMatching(
        /^the new certificate of the broker is not usable, the one in use stays: /,
      ),
    })
    const expired = await identity({ issuedAt: new Date(Date.now() - 86_400_000), lifetimeSeconds: 60 })
    await expect(shake(expired)).rejects.toThrow(/expired/)
  })

  test('fails with one that is not for a server', async () => {
    await expect(shake(await identity({ profile: 'device' }))).rejects.toThrow(
      /no host name and no address, so that no client could check it/,
    )
  })

  test('fails with a key that is not that of the certificate', async () => {
    const [one, other] = [await identity(), await identity()]
    await expect(shake({ ...one, key: other.key })).rejects.toMatchObject({ code: 'identity-unusable' })
  })
})
