import {
  type AdmittedSubject,
  type Csr,
  type CsrField,
  judgeCsr,
  type Profile,
  withField,
} from '@fleetroot/pki'
import type { CsrReport, Refusal } from '../problem/refusal.ts'
import type { DeviceRecord } from '../registry/records.ts'
import { checkBatch, claimedId, claimOnce } from './claim.ts'
import { authenticate, type Credential } from './credential.ts'
import type { Inventory } from './inventory.ts'
import { checkLinking, type ConnectionBinding } from './linking.ts'
import { otherName } from './renewal.ts'

/** What is asked for: a certificate for the key of this CSR, whose proof of possession was verified. */
export interface EnrollmentRequest {
  readonly csr: Csr
  /** The profile that the request names (EST label), if it names one. */
  readonly profile?: string
  /** Of the connection that it came over; left out where the CSR did not come from whom it is for. */
  readonly binding?: ConnectionBinding
}

/** The decision. `issue` says exactly what goes into the certificate; the CSR gives only the key. */
export type Verdict =
  | {
      readonly verdict: 'issue'
      readonly profile: Profile
      readonly subject: AdmittedSubject
      readonly csr: CsrReport
    }
  /** The answer of an earlier request was lost: give the certificate with this serial once more. */
  | { readonly verdict: 'repeat'; readonly serial: string; readonly csr: CsrReport }
  | ({ readonly verdict: 'refuse' } & Refusal)

/**
 * Decides, for every protocol, whether a credential may have what the request asks for. Pure: the same
 * values give the same verdict. Fails closed: what no line below allows is refused.
 */
export function admit(
  credential: Credential,
  request: EnrollmentRequest,
  inventory: Inventory,
  now: Date,
): Verdict {
  const { csr } = request
  const authentication = authenticate(credential, now)
  if (!authentication.ok) return refuse(authentication.code, authentication.detail)
  const claim = credential.kind === 'claim' ? credential.claim : undefined
  const id = claim ? claimedId(csr) : authentication.id
  if (id === undefined) {
    return refuse('csr-common-name-invalid', 'csr: with a claim its CN must be the id of the device')
  }

  const { device } = inventory
  const stranger = claim && checkBatch(claim, device)
  if (stranger) return { verdict: 'refuse', ...stranger }
  if (!device || device.id !== id) return refuse('device-unknown', `id: ${id} is not in the inventory`)
  if (device.state === 'suspended' || device.state === 'retired') {
    return refuse('device-inactive', `id: ${id} is ${device.state}`)
  }

  const profile = inventory.profiles.get(device.profile)
  if (!profile) return refuse('profile-unknown', `profile: ${device.profile} is not configured`)
  if (request.profile !== undefined && request.profile !== profile.name) {
    return refuse(
      'profile-mismatch',
      `profile: ${id} is registered for ${profile.name}, not ${request.profile}; use the label ${profile.name}, or none`,
    )
  }
  const role = checkRole(credential, profile)
  if (role) return { verdict: 'refuse', ...role }

  const subject = { id, trustDomain: inventory.trustDomain, dns: device.dns, ip: device.ip }
  const { fields, refusal } = judgeCsr(csr, profile, subject)
  const key = checkKey(csr, device, inventory)
  if (key) return refuseField('publicKey', key, fields)

  const other = credential.kind === 'certificate' && otherName(csr, credential.certificate)
  if (other) {
    const detail = 'csr: subject and subjectAltName must be those of the client certificate'
    return refuseField(other, { code: 'subject-mismatch', detail }, fields)
  }
  if (refusal) return { verdict: 'refuse', ...refusal, csr: { fields } }
  const linking = checkLinking(csr, profile, request.binding)
  if (!linking.ok) return refuseField('challengePassword', linking, fields)
  const report = { fields: linking.field ? withField(fields, linking.field) : fields }

  if (credential.kind === 'token' && credential.token?.used) {
    const { publicKey, serial } = credential.token.used
    return publicKey === csr.publicKeyFingerprint
      ? { verdict: 'repeat', serial, csr: report }
      : refuse('token-used', 'token: it was used for another key; ask for a new one')
  }
  if (claim && credential.kind === 'claim') {
    const worth = claimOnce(claim, device, credential.use, csr.publicKeyFingerprint, now)
    if (worth !== 'first') {
      return 'again' in worth
        ? { verdict: 'repeat', serial: worth.again, csr: report }
        : { verdict: 'refuse', ...worth }
    }
  }
  const asked = credential.kind === 'operator' ? credential.lifetimeSeconds : undefined
  if (asked === undefined) return { verdict: 'issue', profile, subject, csr: report }
  const lifetimeSeconds = Math.min(profile.lifetimeSeconds, asked)
  return { verdict: 'issue', profile: { ...profile, lifetimeSeconds }, subject, csr: report }
}

/**
 * A token never makes an operator or a claim, a claim makes devices only, an operator makes claims only, and a
 * renewal never changes the role.
 */
function checkRole(credential: Credential, profile: Profile): Refusal | undefined {
  const allowed =
    credential.kind === 'local' ||
    (credential.kind === 'token' && (profile.role === 'device' || profile.role === 'service')) ||
    (credential.kind === 'claim' && profile.role === 'device') ||
    (credential.kind === 'operator' && profile.role === 'claim') ||
    (credential.kind === 'certificate' && credential.role === profile.role && profile.role !== 'claim')
  if (allowed) return undefined
  return {
    code: 'role-not-allowed',
    detail: `profile: this credential cannot get a certificate of the profile ${profile.name}`,
  }
}

/** One key, one identity: a key that two devices share proves neither. */
function checkKey(csr: Csr, device: DeviceRecord, inventory: Inventory): Refusal | undefined {
  if (inventory.authorityKeys.has(csr.publicKeyFingerprint)) {
    return {
      code: 'key-of-authority',
      detail: 'csr: its public key is the key of a certificate authority; make a key on the device',
    }
  }
  if (inventory.keyHolder !== undefined && inventory.keyHolder !== device.id) {
    return {
      code: 'key-in-use',
      detail:
        'csr: its public key is certified for another device; make a new key on this one, and never copy keys',
    }
  }
  return undefined
}

/** Refuses for what one field of the CSR holds. */
function refuseField(field: string, { code, detail }: Refusal, fields: readonly CsrField[]): Verdict {
  const reported = withField(fields, { field, decision: 'refused', reason: detail })
  return { verdict: 'refuse', code, detail, csr: { fields: reported } }
}

function refuse(code: Refusal['code'], detail: string): Verdict {
  return { verdict: 'refuse', code, detail }
}
