import { describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { keyAlgorithms, keySigner, type Signer } from '../key/index.ts'
import { rejectionOf } from '../testing/refusal.ts'
import { parseSerial } from '../serial.ts'
import { testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { authority, oneOfEach, testCrl, tomorrow } from '../testing/crl.ts'
import { createCrl, type CrlOptions } from './create.ts'
import { CrlEntries } from './entries.ts'
import { parseCrl } from './parse.ts'
import { reasonCode, reasonName, revocationReasons } from './reason.ts'
import { verifyCrl } from './verify.ts'

const noon = new Date('2026-11-20T12:00:00Z')

describe('a CRL', () => {
  it.each(keyAlgorithms)(
    'by a CA with a %s key reads back as it was made, and verifies',
    async (algorithm) => {
      const { issuing } = await testAuthority(algorithm)
      const made = await testCrl({ issuer: issuing })
      const read = parseCrl(made.der)
      await verifyCrl(read, issuing.certificate)
      await verifyCrl(made, issuing.certificate)
      for (const crl of [made, read]) {
        expect([...crl.revoked]).toEqual(
          oneOfEach.map((entry) => ({ reason: undefined, invalidityDate: undefined, ...entry })),
        )
        expect(crl).toMatchObject({
          number: 7n,
          thisUpdate: noon,
          baseNumber: undefined,
          issuingDistributionPoint: undefined,
          freshestCrlUrls: [],
          issuer: issuing.certificate.subject,
          authorityKeyId: issuing.certificate.subjectKeyId,
        })
        expect(crl.revoked.size).toBe(oneOfEach.length)
      }
      expect(Buffer.concat(made.pieces)).toEqual(made.der)
      expect(read.pieces).toEqual([made.der])
      expect(made.tbs).toEqual(read.tbs)
      expect(made.pem).toMatch(/^-----BEGIN X509 CRL-----\n/)
    },
  )

  it('stays as it was, in pieces too, whatever is set afterwards', async () => {
    const entries = new CrlEntries()
    for (const entry of oneOfEach) entries.set(entry)
    const made = await testCrl({ entries })
    const before = Buffer.concat(made.pieces)
    for (const entry of oneOfEach) entries.set({ ...entry, reason: 'superseded' })
    entries.delete(oneOfEach[0]!.serial)
    entries.pieces()
    expect(Buffer.concat(made.pieces)).toEqual(before)
    expect(made.der).toEqual(before)
    await verifyCrl(parseCrl(before), authority.issuing.certificate)
  })

  it('of nothing revoked has no list at all, and finds nothing', async () => {
    const made = await testCrl({ entries: [], number: 0n })
    const read = parseCrl(made.der)
    await verifyCrl(read, authority.issuing.certificate)
    expect([...read.revoked, ...made.revoked, ...made.revoked.serials()]).toEqual([])
    expect(read.revoked.has(parseSerial('01'))).toBe(false)
    expect(read.number).toBe(0n)
  })

  it('finds an entry by serial, and no other, whether it was made or read', async () => {
    const made = await testCrl()
    for (const { revoked } of [made, parseCrl(made.der)]) {
      for (const { serial, reason } of oneOfEach) expect(revoked.get(serial)?.reason).toBe(reason)
      expect(revoked.get(parseSerial('02'))).toBeUndefined()
      expect([...revoked.serials()]).toEqual(oneOfEach.map(({ serial }) => serial))
    }
  })

  it('carries scope and freshest CRL, the largest number, and marks as critical what RFC 5280 says', async () => {
    const urls = ['http://ca.example/a.crl', 'http://ca.example/b.crl']
    const crl = parseCrl(
      (
        await testCrl({
          number: 2n ** 159n - 1n,
          issuingDistributionPoint: { urls, onlyContains: 'user' },
          freshestCrlUrl: 'http://ca.example/delta.crl',
        })
      ).der,
    )
    expect(crl.number).toBe(2n ** 159n - 1n)
    expect(crl.issuingDistributionPoint).toEqual({ urls, onlyContains: 'user' })
    expect(crl.freshestCrlUrls).toEqual(['http://ca.example/delta.crl'])
    const critical = crl.extensions.map(({ oid, critical }) => [oid, critical])
    expect(critical).toEqual([
      ['2.5.29.35', false],
      ['2.5.29.20', false],
      ['2.5.29.28', true],
      ['2.5.29.46', false],
    ])
  })

  it('is what the entries held at the call, whatever is set while it is signed', async () => {
    const entries = new CrlEntries(oneOfEach)
    const signing = testCrl({ entries })
    entries.set({ serial: parseSerial('77'), revokedAt: noon })
    expect((await signing).revoked.has(parseSerial('77'))).toBe(false)
    expect((await testCrl({ entries })).revoked.has(parseSerial('77'))).toBe(true)
  })

  const held = [{ serial: parseSerial('01'), revokedAt: noon, reason: 'removeFromCRL' as const }]
  it.each<[string, Partial<CrlOptions>, string]>([
    ['removeFromCRL outside a delta', { entries: held }, 'entries: removeFromCRL is for delta CRLs only'],
    ['a negative number', { number: -1n }, 'number: must be a bigint between 0 and 2^159 - 1'],
    ['a number over 20 octets', { number: 2n ** 159n }, 'number: must be a bigint'],
    ['a number that is no bigint', { number: 7 as unknown as bigint }, 'number: must be a bigint'],
    [
      'nextUpdate in the same second',
      { nextUpdate: new Date(testNow.getTime() + 400) },
      'nextUpdate: must be',
    ],
    [
      'a delta that is not newer than its base',
      { baseNumber: 7n },
      'number: a delta must have a larger number',
    ],
    [
      'a delta that points to deltas',
      { baseNumber: 6n, freshestCrlUrl: 'http://ca.example/d.crl' },
      'freshestCrlUrl: not allowed in a delta',
    ],
    ['an empty scope', { issuingDistributionPoint: {} }, 'issuingDistributionPoint: must name urls'],
    ['a URL with a space', { freshestCrlUrl: 'http://ca.example/a b' }, 'must be an http URL in ASCII'],
    [
      'a scope at a file',
      { issuingDistributionPoint: { urls: ['file:///x'] } },
      'must be an http URL in ASCII',
    ],
  ])('is refused with %s', async (_, options, message) => {
    const refused = await rejectionOf(testCrl(options))
    expect(refused.code).toBe('crl-refused')
    expect(refused.message).toContain(message)
  })

  it('is refused with dates that are none', async () => {
    expect(await rejectionOf(testCrl({ nextUpdate: new Date(Number.NaN) }))).toMatchObject({
      code: 'time-invalid',
    })
    expect(await rejectionOf(testCrl({ thisUpdate: new Date(Number.NaN) }))).toMatchObject({
      code: 'time-invalid',
    })
  })

  it('is refused by a key that is not that of the CA, even if it says that it is', async () => {
    const other = keySigner(testKeyPair('P-256', 'other').privateKey)
    const { certificate, signer } = authority.issuing
    expect(await rejectionOf(testCrl({ issuer: { certificate, signer: other } }))).toMatchObject({
      code: 'key-mismatch',
    })
    const liar: Signer = { ...signer, sign: (bytes) => other.sign(bytes) }
    expect(await rejectionOf(testCrl({ issuer: { certificate, signer: liar } }))).toEqual({
      code: 'key-mismatch',
      message: 'issuer: signer made a signature that its own key does not verify',
    })
  })

  it('is refused for a certificate without cRLSign, to make and to verify', async () => {
    const { certificate, signer } = authority.issuing
    const bare = altered(certificate, { keyUsage: ['keyCertSign'] as const })
    expect(await rejectionOf(testCrl({ issuer: { certificate: bare, signer } }))).toEqual({
      code: 'crl-refused',
      message: 'CRL issuer: certificate is not that of a CA with cRLSign',
    })
    const crl = await testCrl()
    const leaf = altered(certificate, { basicConstraints: { ca: false, pathLength: undefined } })
    for (const wrong of [bare, leaf, altered(certificate, { keyUsage: undefined })]) {
      expect(await rejectionOf(verifyCrl(crl, wrong))).toMatchObject({ code: 'crl-issuer-mismatch' })
    }
  })
})

describe('verifyCrl', () => {
  it('refuses the list of another CA, of another key of the same name, and of another name of the same key', async () => {
    const crl = await testCrl()
    const { root, issuing } = authority
    expect((await rejectionOf(verifyCrl(crl, root.certificate))).message).toContain('another name')
    const sameName = altered(issuing.certificate, { subjectKeyId: root.certificate.subjectKeyId })
    expect((await rejectionOf(verifyCrl(crl, sameName))).message).toContain('another key')
    const forged = altered(issuing.certificate, { publicKey: root.certificate.publicKey })
    expect((await rejectionOf(verifyCrl(crl, forged))).code).toBe('crl-signature-invalid')
  })

  it('refuses a list in which one bit was changed', async () => {
    const { der } = await testCrl()
    const at = der.indexOf(Buffer.from('261102030405Z'))
    der[at + 11] = (der[at + 11] ?? 0) ^ 1
    expect(await rejectionOf(verifyCrl(parseCrl(der), authority.issuing.certificate))).toEqual({
      code: 'crl-signature-invalid',
      message: 'CRL: the signature does not verify with the key of the CA',
    })
  })
})

describe('revocation reasons', () => {
  it('have the names and numbers of RFC 5280, both ways', () => {
    expect(revocationReasons.map(({ code }) => code)).toEqual([0, 1, 2, 3, 4, 5, 6, 8, 9, 10])
    for (const { name, code } of revocationReasons) {
      expect([reasonCode(name), reasonName(code)]).toEqual([code, name])
    }
    expect(reasonName(7)).toBeUndefined()
  })

  it('are numbered in the list as in RFC 5280', async () => {
    const { der } = await createCrl({
      issuer: authority.issuing,
      number: 1n,
      thisUpdate: testNow,
      nextUpdate: tomorrow,
      entries: [{ serial: parseSerial('01'), revokedAt: noon, reason: 'certificateHold' }],
    })
    // SEQUENCE { OID 2.5.29.21, OCTET STRING { ENUMERATED 6 } }
    expect(der.toString('hex')).toContain('300a0603551d1504030a0106')
  })
})
