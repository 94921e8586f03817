import { describe, expect, it, vi } from 'vitest'
import { altered } from '../testing/altered.ts'
import { enumerated, sequence } from '../der/index.ts'
import { keyAlgorithms, keySigner } from '../key/index.ts'
import { refusalOf, rejectionOf } from '../testing/refusal.ts'
import { parseSerial } from '../serial.ts'
import { testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import type { FoundStatus, OcspResponseOptions } from './build-response.ts'
import { createCertId } from './cert-id.ts'
import { ocspErrorResponse, ocspErrors } from './error-response.ts'
import { after, answer, appoint, ask, issuing, registry, root, unfit } from '../testing/ocsp.ts'
import { type BasicOcspResponse, parseOcspResponse } from './parse-response.ts'
import { verifyOcspResponse } from './verify-response.ts'

type Refused = [title: string, options: Partial<OcspResponseOptions>, message: string]

const delegate = await appoint()

async function read(options: Parameters<typeof answer>[0]): Promise<BasicOcspResponse> {
  const response = parseOcspResponse(await answer(options))
  if (response.status !== 'successful') throw new Error(response.status)
  return response
}

describe('an OCSP response', () => {
  it.each(keyAlgorithms)('by an appointed responder with a %s key is believed', async (algorithm) => {
    const responder = await appoint({ algorithm })
    const request = ask(['01', '02', '03', '04'], Buffer.from('nonce'))
    const response = await read({ request, responder })
    expect(response.certificates.map(({ der }) => der)).toEqual([responder.certificate.der])
    const singles = await verifyOcspResponse({ response, request, issuer: issuing.certificate, now: testNow })
    expect(singles.map(({ status }) => status)).toEqual([
      { status: 'good' },
      registry.get('02'),
      { ...registry.get('03'), reason: undefined },
      { status: 'unknown' },
    ])
  })

  it('by the CA itself is believed, carries no certificate, and repeats nonce and questions octet by octet', async () => {
    const request = ask(['01'], Buffer.alloc(128, 5))
    const response = await read({ request })
    expect(response.certificates).toEqual([])
    expect(response.nonce).toEqual(request.nonce)
    expect(response.responses.map(({ certId }) => certId.der)).toEqual(request.certIds.map(({ der }) => der))
    expect(response.producedAt).toEqual(new Date('2026-11-20T12:00:00Z'))
    const [single] = await verifyOcspResponse({
      response,
      request,
      issuer: issuing.certificate,
      now: testNow,
    })
    expect(single).toMatchObject({
      status: { status: 'good' },
      thisUpdate: new Date('2026-11-20T12:00:00Z'),
      nextUpdate: new Date('2026-11-20T13:00:00Z'),
    })
    expect((await read({ request: ask(['01']) })).nonce).toBeUndefined()
  })

  it('never says good of what was not found, and does not look for certificates of another CA', async () => {
    const statuses = vi.fn<OcspResponseOptions['statuses']>(() => undefined)
    const own = ask(['01', '07'])
    const foreign = createCertId(root.certificate, parseSerial('01'))
    const unsupported = { ...createCertId(issuing.certificate, parseSerial('01')), hash: undefined }
    const request = { ...own, certIds: [...own.certIds, foreign, unsupported] }
    const { responses } = await read({ request, statuses })
    expect(responses.map(({ status }) => status.status)).toEqual(['unknown', 'unknown', 'unknown', 'unknown'])
    expect(statuses.mock.calls.map(([{ serial }]) => serial)).toEqual(['01', '07'])
  })

  it('is not made from a good that belongs to another certificate or to none', async () => {
    const good: FoundStatus = { status: 'good', serial: parseSerial('01') }
    const refused = await rejectionOf(answer({ request: ask(['04']), statuses: () => good }))
    expect(refused).toEqual({
      code: 'ocsp-refused',
      message: 'OCSP response was not made: status: 04 cannot be good because 01 was found',
    })
    const bare = { status: 'good' } as FoundStatus
    expect((await rejectionOf(answer({ request: ask(['04']), statuses: () => bare }))).code).toBe(
      'ocsp-refused',
    )
    const typo = { status: 'Good', serial: '04' } as unknown as FoundStatus
    expect((await rejectionOf(answer({ request: ask(['04']), statuses: () => typo }))).code).toBe(
      'ocsp-refused',
    )
  })

  it('waits for a registry that answers later, and fails with it', async () => {
    const statuses = (): Promise<FoundStatus> =>
      Promise.resolve({ status: 'revoked', revokedAt: after(-5000) })
    const { responses } = await read({ request: ask(['01']), statuses })
    expect(responses[0]?.status.status).toBe('revoked')
    const broken = () => Promise.reject(new Error('database is gone'))
    await expect(answer({ request: ask(['01']), statuses: broken })).rejects.toThrow('database is gone')
  })

  it('has no reason removeFromCRL', async () => {
    const statuses = (): FoundStatus => ({ status: 'revoked', revokedAt: testNow, reason: 'removeFromCRL' })
    expect((await rejectionOf(answer({ request: ask(['01']), statuses }))).code).toBe('ocsp-refused')
  })

  it('ends with the certificate of its responder at the latest', async () => {
    const responder = await appoint()
    const { responses } = await read({ request: ask(['01']), responder, nextUpdate: after(30 * 86_400_000) })
    expect(responses[0]?.nextUpdate).toEqual(responder.certificate.notAfter)
  })

  it.each<Refused>([
    ['thisUpdate after producedAt', { thisUpdate: after(1) }, 'thisUpdate: must not be later'],
    ['nextUpdate at producedAt', { nextUpdate: testNow }, 'nextUpdate: must be later'],
    ...unfit.map(([title, responder, fault]): Refused => [title, { responder }, fault]),
    [
      'the key of the CA under another name',
      {
        responder: {
          ...issuing,
          certificate: altered(issuing.certificate, { subjectDer: root.certificate.subjectDer }),
        },
      },
      'was not issued by the CA',
    ],
    ['an expired responder', { responder: delegate, producedAt: after(8 * 86_400_000) }, 'expired at'],
    ['a responder of tomorrow', { responder: delegate, producedAt: after(-7_200_000) }, 'is valid from'],
  ])('is not made with %s', async (_, options, message) => {
    const refused = await rejectionOf(answer({ request: ask(['01']), ...options }))
    expect(refused.code).toBe('ocsp-refused')
    expect(refused.message).toContain(message)
  })

  it('is not made by a key that is not that of the responder', async () => {
    const signer = keySigner(testKeyPair('P-256', 'other').privateKey)
    const responder = { certificate: issuing.certificate, signer }
    expect((await rejectionOf(answer({ request: ask(['01']), responder }))).code).toBe('key-mismatch')
  })
})

describe('an OCSP error', () => {
  it.each(ocspErrors)('$name has the number $code and says nothing else', ({ name, code }) => {
    expect(ocspErrorResponse(name).toString('hex')).toBe(`30030a010${code}`)
    expect(parseOcspResponse(ocspErrorResponse(name))).toEqual({ status: name })
  })

  it('of an unknown name or number is none', () => {
    expect(ocspErrorResponse('successful' as 'tryLater').toString('hex')).toBe('30030a0102')
    expect(refusalOf(() => parseOcspResponse(sequence(enumerated(4)))).code).toBe('ocsp-response-malformed')
    expect(refusalOf(() => parseOcspResponse(sequence(enumerated(0)))).code).toBe('ocsp-response-malformed')
    expect(refusalOf(() => parseOcspResponse(Buffer.alloc(65_537))).code).toBe('ocsp-response-too-large')
  })
})
