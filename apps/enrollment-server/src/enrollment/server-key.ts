import {
  type Csr,
  exportPublicKey,
  generateKeyPairAsync,
  keyAlgorithm,
  type KeyAlgorithm,
  publicKeyFingerprint,
  withField,
} from '@fleetroot/pki'
import type { Verdict } from '../admission/admission.ts'
import type { Refusal } from '../problem/refusal.ts'
import type { Caller } from './identify.ts'
import type { CertificateRequest, EnrollmentOutcome } from './request.ts'

/** Attributes by which a CSR asks for its key to be encrypted beneath TLS (RFC 7030, section 4.4.1). */
const encryptionAttributes: readonly string[] = [
  '1.2.840.113549.1.9.15',
  '1.2.840.113549.1.9.16.2.37',
  '1.2.840.113549.1.9.16.2.54',
]

/** They take a second or more, in which others wait. */
const tooSlow: ReadonlySet<KeyAlgorithm> = new Set(['RSA-3072', 'RSA-4096'])

/** Why no key is made for a CSR: it asks for what is not done here, and would take the key for better protected than it is. */
function refuseServerKey(csr: Csr): Refusal | undefined {
  if (tooSlow.has(keyAlgorithm(csr.publicKey))) {
    const detail =
      'publicKey: the server makes no RSA key above 2048 bits; ask with a P-256 key, or make the key on the device'
    return { code: 'csr-key-unsupported', detail }
  }
  const asked = csr.attributes.find(({ type }) => encryptionAttributes.includes(type))
  if (!asked) return undefined
  const detail = `csr: the attribute ${asked.type} asks for an encrypted key; leave it out, TLS alone protects it here`
  return { code: 'key-encryption-unsupported', detail }
}

/** A key of the kind that the CSR has, and the CSR as if it had that key. Made on the threadpool: RSA takes its time. */
async function makeServerKey(csr: Csr): Promise<{ readonly csr: Csr; readonly privateKey: Uint8Array }> {
  const { publicKey, privateKey } = await generateKeyPairAsync(keyAlgorithm(csr.publicKey))
  const publicKeyInfo = exportPublicKey(publicKey)
  return {
    csr: { ...csr, publicKey, publicKeyInfo, publicKeyFingerprint: publicKeyFingerprint(publicKeyInfo) },
    privateKey: new Uint8Array(privateKey.export({ format: 'der', type: 'pkcs8' })),
  }
}

type Issuing = Extract<Verdict, { verdict: 'issue' }>

/**
 * Issues a certificate for a key that is made here (RFC 7030, section 4.4), one at a time. `decide` and `issue` are those of every
 * enrollment. Called when everything else is decided: a key costs more than all of that.
 */
export function createServerKeygen(
  decide: (caller: Caller, csr: Csr, request: CertificateRequest, now: Date) => Promise<Verdict>,
  issue: (request: CertificateRequest, csr: Csr, verdict: Issuing, now: Date) => Promise<EnrollmentOutcome>,
): (request: CertificateRequest, asked: Csr, caller: Caller, now: Date) => Promise<EnrollmentOutcome> {
  let isMakingKey = false
  return async (request, asked, caller, now) => {
    const refusal = refuseServerKey(asked)
    if (refusal) return { ok: false, ...refusal }
    // Requests travel in batches, which a key that takes long would hold up; and a token is used only when its key is made.
    if (isMakingKey) {
      return {
        ok: false,
        code: 'rate-limited',
        detail: 'serverkeygen: a key is being made for another request; retry',
        retryAfterSeconds: 1,
      }
    }
    isMakingKey = true
    const { csr, privateKey } = await makeServerKey(asked).finally(() => (isMakingKey = false))
    const verdict = await decide(caller, csr, request, now)
    if (verdict.verdict !== 'issue') {
      const known = verdict.verdict === 'refuse' ? verdict : undefined
      return { ok: false, code: known?.code ?? 'internal', detail: known?.detail ?? 'the server failed' }
    }
    const field = { field: 'publicKey', decision: 'overridden', reason: 'the server made the key' } as const
    const fields = withField(verdict.csr.fields, field)
    const outcome = await issue(request, csr, { ...verdict, csr: { fields } }, now)
    return outcome.ok && !outcome.repeated ? { ...outcome, privateKey } : outcome
  }
}
