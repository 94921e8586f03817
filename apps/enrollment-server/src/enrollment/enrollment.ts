import {
  type Certificate,
  type Csr,
  issueCertificate,
  newSerial,
  parseCertificate,
  parseCsr,
  PkiError,
  type Profile,
} from '@fleetroot/pki'
import type { Logger } from '@fleetroot/service'
import { admit, type Verdict } from '../admission/admission.ts'
import type { Credential } from '../admission/credential.ts'
import { retryWindowMs } from '../admission/inventory.ts'
import { type Authority, issuerNameOf } from '../authority/authority.ts'
import type { Refusal } from '../problem/refusal.ts'
import { csrRefusal } from '../problem/csr-refusal.ts'
import type { DeviceRecord } from '../registry/records.ts'
import type { RecordOutcome, Registry } from '../registry/registry.ts'

/** Who asks: a credential, and the device it names as the registry has it. */
export interface Caller {
  readonly credential: Credential
  readonly device: DeviceRecord | undefined
}

/** One request for a certificate, whatever the protocol. */
export interface CertificateRequest {
  readonly caller: Caller
  /** PKCS#10, DER. */
  readonly csr: Buffer
  /** The profile that the request names (EST label), if it names one. */
  readonly profile?: string
  /** For the log: `est`, `rest` or `local`, and the address of the peer. */
  readonly origin: { readonly protocol: string; readonly address?: string }
}

/** The answer: a certificate that the registry knows, or why there is none. */
export type EnrollmentOutcome =
  | {
      readonly ok: true
      readonly certificate: Certificate
      /** The issuing CA's certificate. */
      readonly issuer: Certificate
      /** True when the answer of an earlier request is given again. */
      readonly repeated: boolean
    }
  | ({ readonly ok: false } & Refusal)

/** The one way to a certificate. */
export type Enroll = (request: CertificateRequest) => Promise<EnrollmentOutcome>

/** What enrollment works with. */
export interface EnrollmentDependencies {
  readonly registry: Registry
  readonly authority: Authority
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  /** Base of the URLs that go into certificates (AIA caIssuers), without a trailing slash. */
  readonly publicUrl: string
  readonly now: () => Date
  readonly logger: Logger
  /** Told every decision, for metrics: `issued`, `repeated` or the code of the refusal. */
  readonly decided: (protocol: string, decision: string) => void
}

/**
 * Returns the use case behind EST, REST and the server's own certificates: parse the CSR, admit, issue, record
 * and consume the token in one transaction, answer. A certificate leaves this function only after its row is
 * committed, so that a kill at any moment leaves no certificate in the world that the registry does not know.
 */
export function createEnrollment(dependencies: EnrollmentDependencies): Enroll {
  const { registry, authority, profiles, trustDomain, publicUrl, now, logger, decided } = dependencies

  async function decide(request: CertificateRequest, csr: Csr): Promise<Verdict> {
    const keyHolder = await registry.findKeyHolder(csr.publicKeyFingerprint)
    const { device, credential } = request.caller
    const inventory = { device, keyHolder, authorityKeys: authority.keys, profiles, trustDomain }
    const asked = { csr, ...(request.profile !== undefined && { profile: request.profile }) }
    return admit(credential, asked, inventory, now())
  }

  async function issue(
    { caller: { credential } }: CertificateRequest,
    csr: Csr,
    { profile, subject }: Extract<Verdict, { verdict: 'issue' }>,
  ): Promise<EnrollmentOutcome> {
    const issuerName = issuerNameOf(profile)
    if (!issuerName)
      return { ok: false, code: 'role-not-allowed', detail: `profile: ${profile.name} is for a CA` }
    const issuedAt = now()
    const issuer = authority.issuers[issuerName]
    const certificate = await issueCertificate({
      profile,
      issuer,
      subject,
      publicKey: csr.publicKey,
      serial: newSerial(),
      now: issuedAt,
      urls: { caIssuers: `${publicUrl}/ca/${issuerName}.crt` },
    })
    const outcome = await registry.recordCertificate({
      certificate: {
        serial: certificate.serial,
        deviceId: subject.id,
        profile: profile.name,
        issuer: issuerName,
        publicKey: csr.publicKeyFingerprint,
        notBeforeMs: certificate.notBefore.getTime(),
        notAfterMs: certificate.notAfter.getTime(),
        issuedAtMs: issuedAt.getTime(),
        // A copy: a view of a pooled Buffer would take the whole pool along to the registry's thread.
        der: new Uint8Array(certificate.der),
      },
      ...(credential.kind === 'token' && { tokenHash: credential.hash }),
      retryWindowMs,
    })
    return answer(outcome, certificate, issuer.certificate)
  }

  function answer(outcome: RecordOutcome, certificate: Certificate, issuer: Certificate): EnrollmentOutcome {
    if (outcome.outcome === 'refused') {
      return { ok: false, code: outcome.code, detail: changedMeanwhile[outcome.code] }
    }
    const isRepeated = outcome.outcome === 'repeated'
    // Another request with this key was first: what was just signed is forgotten, and nobody has seen it.
    const answered = isRepeated ? parseCertificate(outcome.certificate.der) : certificate
    return { ok: true, certificate: answered, issuer, repeated: isRepeated }
  }

  async function repeat(serial: string): Promise<EnrollmentOutcome> {
    const record = await registry.findCertificate(serial)
    const issuerName = record && issuerNameOf(record)
    if (!record || !issuerName || record.status === 'revoked') {
      return {
        ok: false,
        code: 'token-used',
        detail: 'token: its certificate is not valid any more; ask for a new one',
      }
    }
    const issuer = authority.issuers[issuerName].certificate
    return { ok: true, certificate: parseCertificate(record.der), issuer, repeated: true }
  }

  async function run(request: CertificateRequest): Promise<EnrollmentOutcome> {
    let csr: Csr
    try {
      csr = await parseCsr(request.csr)
    } catch (error) {
      if (error instanceof PkiError) return { ok: false, ...csrRefusal(error) }
      throw error
    }
    const verdict = await decide(request, csr)
    if (verdict.verdict === 'refuse') return { ok: false, code: verdict.code, detail: verdict.detail }
    return verdict.verdict === 'issue' ? issue(request, csr, verdict) : repeat(verdict.serial)
  }

  return async (request) => {
    const outcome = await run(request)
    const { caller, origin } = request
    const decision = outcome.ok ? (outcome.repeated ? 'repeated' : 'issued') : outcome.code
    decided(origin.protocol, decision)
    logger.info(
      {
        decision,
        deviceId: caller.device?.id,
        credentialKind: caller.credential.kind,
        ...origin,
        ...(outcome.ok ? { serial: outcome.certificate.serial } : { detail: outcome.detail }),
      },
      outcome.ok ? 'certificate issued' : 'enrollment refused',
    )
    return outcome
  }
}

/** Refusals of the registry, whose state changed between the decision and the commit. */
const changedMeanwhile = {
  'token-used':
    'token: another request used it first; retry with the key of that request, or ask for a new one',
  'token-expired': 'token: it expired; ask for a new one',
  'device-unknown': 'id: it is not in the inventory',
  'device-inactive': 'id: it is suspended or retired',
  'key-in-use': 'csr: its public key is certified for another device',
  'certificate-inactive': 'client certificate: it was revoked',
} as const
