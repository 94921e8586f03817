import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  certificateIdentity,
  decodeCertsOnly,
  importPrivateKey,
  parseCertificate,
  parseCrl,
  parseCsr,
  parseOcspRequest,
  parseOcspResponse,
  publicKeyFingerprint,
  validatePath,
  verifyCrl,
  verifyOcspResponse,
} from './index.ts'

// The files that docs/vectors gives to others, at the moment for which they were made.

const read = (file: string): Buffer => readFileSync(new URL(`../../../docs/vectors/${file}`, import.meta.url))
const text = (file: string): string => read(file).toString('utf8')
const now = new Date(Number(text('time.txt')) * 1000)
const certificate = (file: string) => parseCertificate(text(file))
const body = (file: string) => decodeCertsOnly(Buffer.from(text(file), 'base64'))

describe('of the published vectors', () => {
  it('the CSR proves possession of the published key', async () => {
    const csr = await parseCsr(read('device.csr'))
    expect(csr.commonName).toBe('vector-1')
    const published = createPublicKey(importPrivateKey(text('device.key')))
    expect(csr.publicKeyFingerprint).toBe(publicKeyFingerprint(published))
  })

  it.each([
    ['device.crt', 'vector-1'],
    ['revoked.crt', 'vector-2'],
  ])('%s leads to the root and names its device', (file, id) => {
    const path = validatePath(certificate(file), {
      intermediates: [certificate('devices.crt')],
      anchors: [certificate('root.crt')],
      now,
    })
    expect(path).toMatchObject({ ok: true })
    expect(certificateIdentity(certificate(file))).toEqual({
      id,
      role: 'device',
      trustDomain: 'fleetroot.local',
    })
  })

  it('the bodies hold the CAs, and the certificate alone', () => {
    const cas = body('cacerts.b64').map(({ pem }) => pem)
    expect(cas).toContain(certificate('root.crt').pem)
    expect(cas).toContain(certificate('devices.crt').pem)
    expect(body('simpleenroll.b64').map(({ pem }) => pem)).toEqual([certificate('device.crt').pem])
  })

  it('the CRL is of the issuing CA and has the revoked certificate alone', async () => {
    const crl = parseCrl(read('devices.crl'))
    await verifyCrl(crl, certificate('devices.crt'))
    expect([...crl.revoked]).toMatchObject([
      { serial: certificate('revoked.crt').serial, reason: 'keyCompromise' },
    ])
    expect(crl.nextUpdate?.getTime()).toBeGreaterThan(now.getTime())
  })

  it.each([
    ['ocsp.req', 'good.ocsp', { status: 'good' }],
    ['revoked.req', 'revoked.ocsp', { status: 'revoked', reason: 'keyCompromise' }],
  ])('%s is answered by %s', async (request, response, status) => {
    const answers = await verifyOcspResponse({
      request: parseOcspRequest(read(request)),
      response: parseOcspResponse(read(response)),
      issuer: certificate('devices.crt'),
      now,
    })
    expect(answers).toMatchObject([{ status }])
  })
})
