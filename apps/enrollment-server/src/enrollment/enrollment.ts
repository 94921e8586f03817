import {
  type Csr,
  type DeviceId,
  issueCertificate,
  newSerial,
  parseCsr,
  PkiError,
  type Profile,
} from '@fleetroot/pki'
import { admit, type Verdict } from '../admission/admission.ts'
import { pending } from '../admission/approval.ts'
import { claimedId } from '../admission/claim.ts'
import { authenticate } from '../admission/credential.ts'
import type { Manufacturer } from '../admission/idevid.ts'
import { retryWindowMs } from '../admission/inventory.ts'
import { issuerKindOf } from '../authority/authority.ts'
import { openQuestion } from '../authorization/question.ts'
import { type IssuerId, isIssuerId } from '../authority/ca-id.ts'
import { certificateUrls } from '../authority/urls.ts'
import { csrRefusal } from '../problem/csr-refusal.ts'
import type { CsrReport, Refusal } from '../problem/refusal.ts'
import type { CertificateRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { changedMeanwhile } from './changed-meanwhile.ts'
import { type Caller, identify } from './identify.ts'
import type {
  CertificateRequest,
  EnrollmentOutcome,
  EnrollmentStep,
  IssuedCertificate,
  PresentedCredential,
} from './request.ts'
import { networkOf } from './network.ts'
import { createServerKeygen } from './server-key.ts'
import type { SigningAuthority } from './signing-authority.ts'

/** What an enrollment needs of a registry. */
export type EnrollmentRegistry = Pick<
  Registry,
  | 'findToken'
  | 'findCertificate'
  | 'findDevice'
  | 'findDeviceOfManufacturer'
  | 'findKeyHolder'
  | 'findClaim'
  | 'findClaimUse'
  | 'findApproval'
  | 'askApproval'
  | 'isLeftBehind'
  | 'recordCertificate'
>

/** How long what is asked and what is decided is kept, and how often those who wait should ask. */
export interface ApprovalTimes {
  readonly lifetimeMs: number
  readonly retryMs: number
}

/** What enrollment works with. */
export interface EnrollmentDependencies {
  readonly registry: EnrollmentRegistry
  /** As it is at this moment: CAs are replaced while the server runs. */
  readonly authority: () => SigningAuthority
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  /** Base of the URLs that go into certificates (AIA caIssuers), without a trailing slash. */
  readonly publicUrl: string
  /** Whether an authorization service has to allow what would be issued. */
  readonly mustAsk: boolean
  /** Whose certificates from the factory count. */
  readonly manufacturers: readonly Manufacturer[]
  readonly approvals: ApprovalTimes
  /** Where the proof of possession is verified; the issuers' signers say where they sign. */
  readonly cryptoThread: 'pool' | 'calling'
}

/**
 * Returns the use case behind EST, REST and the server's own certificates: authenticate the credential, parse
 * the CSR, admit, issue, record and consume the token in one transaction, answer. A certificate leaves this
 * function only after its row is committed, so that a kill at any moment leaves no certificate in the world
 * that the registry does not know. `now` is the moment at which the request arrived.
 */
export function createEnrollment(
  dependencies: EnrollmentDependencies,
): (request: CertificateRequest, now: Date) => Promise<EnrollmentStep> {
  const { registry, authority, profiles, trustDomain, publicUrl, cryptoThread, mustAsk } = dependencies
  const { manufacturers, approvals } = dependencies
  const retryAfterSeconds = Math.ceil(approvals.retryMs / 1000)

  async function decide(caller: Caller, csr: Csr, request: CertificateRequest, now: Date): Promise<Verdict> {
    const keyHolder = await registry.findKeyHolder(csr.publicKeyFingerprint)
    const inventory = {
      device: caller.device,
      keyHolder,
      authorityKeys: authority().keys,
      profiles,
      trustDomain,
      retryAfterSeconds,
    }
    const { profile, binding } = request
    const asked = { csr, ...(profile !== undefined && { profile }), ...(binding && { binding }) }
    return admit(caller.credential, asked, inventory, now)
  }

  /** A claim, and nothing at all, say nothing of the device that they are used for: the CSR does. */
  async function aim(caller: Caller, csr: Csr, now: Date): Promise<Caller> {
    const { credential } = caller
    if (credential.kind !== 'claim' && credential.kind !== 'approval') return caller
    const id = claimedId(csr)
    if (id === undefined) return caller
    if (credential.kind === 'approval') {
      const key = { publicKey: csr.publicKeyFingerprint, nowMs: now.getTime() }
      const [device, approval] = await Promise.all([registry.findDevice(id), registry.findApproval(key)])
      return { credential: { kind: 'approval', approval }, device }
    }
    const [device, use] = await Promise.all([registry.findDevice(id), registry.findClaimUse(id)])
    return { credential: { ...credential, ...(use && { use }) }, device }
  }

  async function issue(
    { credential, origin }: CertificateRequest,
    csr: Csr,
    { profile, subject, csr: report }: Extract<Verdict, { verdict: 'issue' }>,
    now: Date,
  ): Promise<EnrollmentOutcome> {
    const kind = issuerKindOf(profile)
    if (!kind) return { ok: false, code: 'role-not-allowed', detail: `profile: ${profile.name} is for a CA` }
    const issuer = authority().issuing[kind]
    const signed = await issueCertificate({
      profile,
      issuer,
      subject,
      publicKey: csr.publicKey,
      serial: newSerial(),
      now,
      urls: certificateUrls(publicUrl, issuer.id),
    })
    const certificate = {
      serial: signed.serial,
      deviceId: subject.id,
      profile: profile.name,
      issuer: issuer.id,
      publicKey: csr.publicKeyFingerprint,
      notBeforeMs: signed.notBefore.getTime(),
      notAfterMs: signed.notAfter.getTime(),
      issuedAtMs: now.getTime(),
      // A copy: a view of a pooled Buffer would take the whole pool along when it leaves this thread.
      der: new Uint8Array(signed.der),
    }
    const outcome = await registry.recordCertificate({
      certificate,
      origin,
      csr: report,
      ...(credential.kind === 'token' && { tokenHash: credential.hash }),
      ...(credential.kind === 'certificate' && {
        renews: credential.serial,
        ...(credential.isLate && { inGrace: true }),
      }),
      ...(credential.kind === 'claim' && { claim: { id: credential.id, serial: credential.serial } }),
      ...(credential.kind === 'idevid' && { byIdevid: true as const }),
      ...(credential.kind === 'approval' && { approval: csr.publicKeyFingerprint }),
      ...(credential.kind === 'operator' && { by: credential.by }),
      retryWindowMs,
    })
    if (outcome.outcome === 'refused') {
      const { code } = outcome
      const detail = changedMeanwhile[code]
      const retry = code === 'renewals-limited' && { retryAfterSeconds: 3600 }
      return { ok: false, code, detail, ...retry, deviceId: subject.id }
    }
    // Another request with this key was first: what was just signed is forgotten, and nobody has seen it.
    if (outcome.outcome === 'repeated') return again(outcome.certificate, credential, subject.id, report, now)
    return given(certificate, issuer.id, false, report)
  }

  const issueWithKey = createServerKeygen(decide, issue)

  /** Has an operator asked whether this key may have that id. */
  async function ask(
    { origin }: CertificateRequest,
    { publicKeyFingerprint: publicKey }: Csr,
    { subject, profile, csr: report }: Extract<Verdict, { verdict: 'ask' }>,
    now: Date,
  ): Promise<Refusal> {
    const nowMs = now.getTime()
    const outcome = await registry.askApproval({
      publicKey,
      deviceId: subject.id,
      profile: profile.name,
      address: networkOf(origin.address ?? ''),
      nowMs,
      expiresAtMs: nowMs + approvals.lifetimeMs,
    })
    if (outcome === 'asked') return { ...pending(retryAfterSeconds), csr: report }
    const detail = 'approval: too many devices wait for an operator, or too many of this address'
    return { code: 'approvals-limited', detail, retryAfterSeconds: Math.max(60, retryAfterSeconds) }
  }

  /** The answer of an earlier request, as long as its certificate may be given out. */
  function again(
    record: CertificateRecord | undefined,
    { kind }: PresentedCredential,
    id: DeviceId | undefined,
    report: CsrReport,
    now: Date,
  ): EnrollmentOutcome {
    const issuer = record?.issuer ?? ''
    const isGood = isIssuerId(issuer) && authority().trusted.has(issuer) && !record?.revocation
    // An approval outlives a certificate with a short life.
    if (!record || !isGood || record.notAfterMs <= now.getTime()) {
      return {
        ok: false,
        code: kind === 'claim' || kind === 'approval' ? 'device-enrolled' : 'token-used',
        detail: `${kind}: its certificate is not valid any more; ask for a new token`,
        ...(id !== undefined && { deviceId: id }),
      }
    }
    return given(record, issuer, true, report)
  }

  return async (request, now) => {
    const caller = await identify(request.credential, registry, { profiles, manufacturers, now })
    let deviceId = caller.device?.id
    let known = deviceId !== undefined && { deviceId }
    if (request.serverKey && caller.credential.kind === 'approval') {
      return {
        ok: false,
        code: 'credential-missing',
        detail: 'Authorization: send Basic and the base64 of id:token',
      }
    }
    // Before the CSR is looked at, which costs more: a stranger gets no signature verified.
    const authentication = authenticate(caller.credential, now)
    if (!authentication.ok) return { ...authentication, ...known }
    let csr: Csr
    try {
      csr = await parseCsr(request.csr, { thread: cryptoThread })
    } catch (error) {
      if (error instanceof PkiError) return { ok: false, ...csrRefusal(error), ...known }
      throw error
    }
    const aimed = await aim(caller, csr, now)
    deviceId = aimed.device?.id
    known = deviceId !== undefined && { deviceId }
    const verdict = await decide(aimed, csr, request, now)
    switch (verdict.verdict) {
      case 'refuse': {
        const { verdict: _verdict, ...refusal } = verdict
        return { ok: false, ...refusal, ...known }
      }
      case 'repeat':
        // Whoever lost a key that the server made needs another, and a credential for it.
        if (request.serverKey)
          return { ok: false, code: 'token-used', detail: changedMeanwhile['token-used'], ...known }
        return again(
          await registry.findCertificate(verdict.serial),
          request.credential,
          deviceId,
          verdict.csr,
          now,
        )
      case 'ask':
        return { ok: false, ...(await ask(request, csr, verdict, now)) }
      case 'issue': {
        const publicKey = request.serverKey ? undefined : csr.publicKeyFingerprint
        const wanted = { ...verdict.subject, ...verdict, publicKey }
        const question = mustAsk && aimed.device && openQuestion(request, wanted, aimed.device)
        if (question) return { ok: false, question, deviceId: verdict.subject.id }
        return request.serverKey ? issueWithKey(request, csr, aimed, now) : issue(request, csr, verdict, now)
      }
      default:
        return verdict satisfies never
    }
  }
}

function given(
  { der, serial, deviceId, notBeforeMs, notAfterMs }: Omit<IssuedCertificate, 'issuer'>,
  issuer: IssuerId,
  isRepeated: boolean,
  csr: CsrReport,
): EnrollmentOutcome {
  const certificate = { der, serial, deviceId, notBeforeMs, notAfterMs, issuer }
  return { ok: true, certificate, repeated: isRepeated, csr }
}
