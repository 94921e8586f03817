import { type Certificate, issueCertificate, type Issuer } from '../certificate/index.ts'
import { parseDeviceId } from '../device-id.ts'
import { type KeyAlgorithm, keySigner } from '../key/index.ts'
import { defaultProfiles } from '../profile/defaults.ts'
import type { Profile } from '../profile/profile.ts'
import { newSerial, parseSerial } from '../serial.ts'
import { testAuthority, testNow } from './authority.ts'
import { testKeyPair } from './key-pair.ts'
import { buildOcspResponse, type FoundStatus, type OcspResponseOptions } from '../ocsp/build-response.ts'
import { type CertId, createCertId } from '../ocsp/cert-id.ts'
import type { OcspRequest } from '../ocsp/request.ts'

/** The CAs of the OCSP tests. */
export const { root, issuing } = await testAuthority()

/** A moment in milliseconds after {@link testNow}. */
export const after = (milliseconds: number): Date => new Date(testNow.getTime() + milliseconds)

/** A responder that a CA appoints; other profiles make one that may not answer. */
export async function appoint(
  options: { profile?: Profile; issuer?: Issuer; algorithm?: KeyAlgorithm } = {},
): Promise<Issuer> {
  const { profile = defaultProfiles.ocsp, issuer = issuing, algorithm = 'P-256' } = options
  const { publicKey, privateKey } = testKeyPair(algorithm, 'responder')
  const certificate = await issueCertificate({
    profile,
    issuer,
    subject: { id: parseDeviceId('ocsp'), trustDomain: 'fleet.example' },
    publicKey,
    serial: newSerial(),
    now: testNow,
  })
  return { certificate, signer: keySigner(privateKey) }
}

const { ocsp } = defaultProfiles

/** Responders that may not answer for the issuing CA, each with what is wrong with it. */
export const unfit: readonly [title: string, responder: Issuer, fault: string][] = [
  ['a responder of another CA', await appoint({ issuer: root }), 'was not issued by the CA'],
  [
    'a responder without the purpose OCSPSigning',
    await appoint({ profile: { ...ocsp, extendedKeyUsage: ['clientAuth'] } }),
    'has no purpose OCSPSigning',
  ],
  [
    'a responder without nocheck',
    await appoint({ profile: { ...ocsp, ocspNoCheck: false } }),
    'has no id-pkix-',
  ],
  [
    'a responder that may not sign',
    await appoint({ profile: { ...ocsp, keyUsage: ['keyAgreement'] } }),
    'may not sign',
  ],
  ['another CA as responder', root, 'was not issued by the CA'],
]

/** What the registry of the tests knows: 1 is good, 2 on hold, 3 revoked without a reason; the rest nobody knows. */
export const registry = new Map<string, FoundStatus>([
  ['01', { status: 'good', serial: parseSerial('01') }],
  ['02', { status: 'revoked', revokedAt: new Date('2026-11-01T02:03:04Z'), reason: 'certificateHold' }],
  ['03', { status: 'revoked', revokedAt: new Date('2026-11-01T02:03:04Z') }],
])

/** A request about certificates of the issuing CA. */
export function ask(
  serials: readonly string[],
  nonce?: Buffer,
  issuer: Certificate = issuing.certificate,
): OcspRequest {
  return { certIds: serials.map((serial) => createCertId(issuer, parseSerial(serial))), nonce }
}

/** An answer of {@link registry} by the issuing CA itself for one hour, unless the options say otherwise. */
export function answer(options: Partial<OcspResponseOptions> & { request: OcspRequest }): Promise<Buffer> {
  return buildOcspResponse({
    statuses: ({ serial }: CertId) => registry.get(serial),
    issuer: issuing.certificate,
    responder: issuing,
    producedAt: testNow,
    thisUpdate: testNow,
    nextUpdate: after(3_600_000),
    ...options,
  })
}
