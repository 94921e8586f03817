import { describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { type Certificate, createRootCertificate } from '../certificate/index.ts'
import { keySigner } from '../key/index.ts'
import { rejectionOf } from '../testing/refusal.ts'
import { newSerial } from '../serial.ts'
import { testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { responderKeyHash } from './cert-id.ts'
import { ocspErrorResponse } from './error-response.ts'
import { after, answer, appoint, ask, issuing, root, unfit } from '../testing/ocsp.ts'
import { type BasicOcspResponse, parseOcspResponse } from './parse-response.ts'
import { type OcspVerification, verifyOcspResponse } from './verify-response.ts'

const request = ask(['01'], Buffer.from('nonce'))
const delegate = await appoint()
const basic = parseOcspResponse(await answer({ request, responder: delegate })) as BasicOcspResponse
const verify = (options: Partial<OcspVerification>) =>
  verifyOcspResponse({ response: basic, request, issuer: issuing.certificate, now: testNow, ...options })

/** The same answer, signed by somebody else who brings a certificate. */
async function forged({ certificate, signer }: typeof delegate): Promise<BasicOcspResponse> {
  return {
    ...basic,
    signature: await signer.sign(basic.tbs),
    signatureAlgorithm: signer.algorithm,
    responderId: { keyHash: responderKeyHash(certificate) },
    certificates: [certificate],
  }
}

describe('verifyOcspResponse', () => {
  it('believes the response that the cases below make wrong', async () => {
    expect((await verify({}))[0]?.status).toEqual({ status: 'good' })
  })

  it('believes a responder that is named by its name', async () => {
    const responderId = { nameDer: delegate.certificate.subjectDer }
    expect(await verify({ response: { ...basic, responderId } })).toHaveLength(1)
  })

  it('does not take an error for an answer', async () => {
    const response = parseOcspResponse(ocspErrorResponse('tryLater'))
    expect(await rejectionOf(verify({ response }))).toEqual({
      code: 'ocsp-unsuccessful',
      message: 'OCSP: the responder answered tryLater',
    })
  })

  it('refuses a response without the nonce of the request, and one with another', async () => {
    for (const nonce of [undefined, Buffer.from('other')]) {
      const response = { ...basic, nonce }
      expect((await rejectionOf(verify({ response }))).code).toBe('ocsp-nonce-mismatch')
    }
    expect(await verify({ request: { ...request, nonce: undefined } })).toHaveLength(1)
  })

  it('refuses a response that says nothing, or two things, about what was asked', async () => {
    expect((await rejectionOf(verify({ request: ask(['02'], request.nonce) }))).message).toContain(
      'says nothing',
    )
    const response = { ...basic, responses: [...basic.responses, ...basic.responses] }
    expect((await rejectionOf(verify({ response }))).message).toContain('says two things')
  })

  it('refuses answers for certificates of another CA', async () => {
    const foreign = ask(['01'], request.nonce, root.certificate)
    expect((await rejectionOf(verify({ request: foreign }))).code).toBe('ocsp-untrusted')
    expect((await rejectionOf(verify({ issuer: root.certificate }))).code).toBe('ocsp-untrusted')
  })

  it.each(unfit)('refuses %s', async (_, signer, message) => {
    const refused = await rejectionOf(verify({ response: await forged(signer) }))
    expect(refused.code).toBe('ocsp-untrusted')
    expect(refused.message).toContain(message)
  })

  it('refuses a responder whose certificate the CA did not sign, though it looks as if', async () => {
    const { certificate, signer } = delegate
    const signature = Buffer.from(certificate.signature)
    signature[signature.length - 1] = (signature.at(-1) ?? 0) ^ 1
    const response = await forged({ certificate: altered(certificate, { signature }), signer })
    expect((await rejectionOf(verify({ response }))).message).toContain('was not signed by the CA')
  })

  it('refuses an impostor with the name of the CA and a key of its own', async () => {
    const signer = keySigner(testKeyPair('P-256', 'impostor').privateKey)
    const name = { commonName: 'Test Devices', organization: 'Fleetroot' }
    const certificate = await createRootCertificate({ ...name, signer, serial: newSerial(), now: testNow })
    expect(certificate.subjectDer).toEqual(issuing.certificate.subjectDer)
    const response = await forged({ certificate, signer })
    const refused = await rejectionOf(verify({ response }))
    expect(refused).toEqual({
      code: 'ocsp-untrusted',
      message: 'OCSP responder: certificate names another key than that of the CA',
    })
    // Named by its name it is taken for the CA, whose key did not sign this.
    const named = { ...response, responderId: { nameDer: certificate.subjectDer } }
    expect((await rejectionOf(verify({ response: named }))).code).toBe('ocsp-signature-invalid')
  })

  it.each<[string, Partial<Certificate>, string]>([
    ['a CA', { basicConstraints: { ca: true, pathLength: undefined } }, 'is that of another CA'],
    ['of another key of the CA', { authorityKeyId: 'aa' }, 'names another key than that of the CA'],
    [
      'with a critical extension that nobody knows',
      { extensions: [{ oid: '1.2.3', critical: true, value: Buffer.alloc(0) }] },
      'has the unknown critical extension 1.2.3',
    ],
  ])('refuses a responder that is %s', async (_, fields, message) => {
    const certificate = altered(delegate.certificate, fields)
    const response = await forged({ certificate, signer: delegate.signer })
    expect((await rejectionOf(verify({ response }))).message).toContain(message)
  })

  it('refuses a response whose responder is not there', async () => {
    const response = { ...basic, certificates: [] }
    expect((await rejectionOf(verify({ response }))).message).toContain(
      'neither the CA nor a certificate in it',
    )
  })

  it('refuses a signature over other octets, and one by another key', async () => {
    const tbs = Buffer.from(basic.tbs)
    tbs[tbs.length - 1] = (tbs.at(-1) ?? 0) ^ 1
    for (const response of [
      { ...basic, tbs },
      { ...basic, signatureAlgorithm: 'Ed25519' as const },
    ]) {
      expect((await rejectionOf(verify({ response }))).code).toBe('ocsp-signature-invalid')
    }
  })

  it('refuses a response from the future, one past its time, and one without an end', async () => {
    const [single] = basic.responses
    if (single === undefined) throw new Error('no response')
    expect(await verify({ now: after(-300_000) })).toHaveLength(1)
    expect(await verify({ now: after(3_600_000 + 299_000) })).toHaveLength(1)
    for (const now of [after(-302_000), after(3_600_000 + 301_000)]) {
      expect((await rejectionOf(verify({ now }))).code).toBe('ocsp-stale')
    }
    expect((await rejectionOf(verify({ now: after(3_602_000), clockSkewSeconds: 1 }))).code).toBe(
      'ocsp-stale',
    )
    expect((await rejectionOf(verify({ now: new Date(Number.NaN) }))).code).toBe('ocsp-stale')
    const response = { ...basic, responses: [{ ...single, nextUpdate: undefined }] }
    expect((await rejectionOf(verify({ response }))).message).toBe('OCSP response: has no nextUpdate')
  })

  it('refuses a responder whose certificate has expired since', async () => {
    const now = after(8 * 86_400_000)
    expect((await rejectionOf(verify({ now }))).message).toContain('expired at')
  })
})
