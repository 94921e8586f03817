import {
  type AdmittedSubject,
  type Csr,
  type CsrField,
  type DeviceId,
  judgeCsr,
  type Profile,
  withField,
} from '@fleetroot/pki'
import type { CsrReport, Refusal } from '../problem/refusal.ts'
import type { DeviceRecord } from '../registry/records.ts'
import { judgeAsking } from './approval.ts'
import { checkBatch, claimedId, claimOnce } from './claim.ts'
import { authenticate, type Credential } from './credential.ts'
import { checkHistory } from './idevid.ts'
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
  | ({ readonly verdict: 'issue' } & Grant)
  /** The answer of an earlier request was lost: give the certificate with this serial once more. */
  | { readonly verdict: 'repeat'; readonly serial: string; readonly csr: CsrReport }
  /** An operator has to approve of it first: write down that this device asks. */
  | ({ readonly verdict: 'ask' } & Grant)
  | ({ readonly verdict: 'refuse' } & Refusal)

/** What a certificate will hold, and what became of the CSR for it. */
interface Grant {
  readonly profile: Profile
  readonly subject: AdmittedSubject
  readonly csr: CsrReport
}

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
  const candidate = findCandidate(credential, request, inventory, now)
  if ('code' in candidate) return { verdict: 'refuse', ...candidate }
  const { device, isNew } = candidate
  const grant = grantTo(device, credential, request, inventory)
  if ('code' in grant) return { verdict: 'refuse', ...grant }
  return isNew ? { verdict: 'ask', ...grant } : use(credential, device, request.csr, grant, now)
}

/** Whom the certificate would be for, if the credential is good for that device at all. */
function findCandidate(
  credential: Credential,
  { csr, profile }: EnrollmentRequest,
  { device, retryAfterSeconds }: Inventory,
  now: Date,
): { readonly device: DeviceRecord; readonly isNew?: true } | Refusal {
  const authentication = authenticate(credential, now)
  if (!authentication.ok) return { code: authentication.code, detail: authentication.detail }
  const id = authentication.id ?? claimedId(csr)
  if (id === undefined) {
    return {
      code: 'csr-common-name-invalid',
      detail: 'csr: its CN must be the id of the device, as this credential does not say it',
    }
  }
  const stranger = credential.kind === 'claim' && credential.claim && checkBatch(credential.claim, device)
  if (stranger) return stranger
  if (credential.kind === 'approval') {
    const asked = judgeAsking(credential.approval, id, device, retryAfterSeconds)
    if (asked === 'ask') return { device: newcomer(id, profile, now), isNew: true }
    if (asked !== 'approved') return asked
  }
  if (!device || device.id !== id)
    return { code: 'device-unknown', detail: `id: ${id} is not in the inventory` }
  if (device.state === 'suspended' || device.state === 'retired') {
    return { code: 'device-inactive', detail: `id: ${id} is ${device.state}` }
  }
  return (credential.kind === 'idevid' && checkHistory(device)) || { device }
}

/** A device as the inventory would have it once it is approved. */
function newcomer(id: DeviceId, profile = 'device', now: Date): DeviceRecord {
  return { id, profile, state: 'registered', dns: [], ip: [], labels: {}, createdAtMs: now.getTime() }
}

/** What the device may have of what the CSR asks for. */
function grantTo(
  device: DeviceRecord,
  credential: Credential,
  { csr, profile: label, binding }: EnrollmentRequest,
  inventory: Inventory,
): Grant | Refusal {
  const { id } = device
  const profile = inventory.profiles.get(device.profile)
  if (!profile) return { code: 'profile-unknown', detail: `profile: ${device.profile} is not configured` }
  if (label !== undefined && label !== profile.name) {
    const detail = `profile: ${id} is registered for ${profile.name}, not ${label}; use the label ${profile.name}, or none`
    return { code: 'profile-mismatch', detail }
  }
  const role = checkRole(credential, profile)
  if (role) return role

  const subject = { id, trustDomain: inventory.trustDomain, dns: device.dns, ip: device.ip }
  const { fields, refusal } = judgeCsr(csr, profile, subject)
  const key = checkKey(csr, device, inventory)
  if (key) return refuseField('publicKey', key, fields)
  const other = credential.kind === 'certificate' && otherName(csr, credential.certificate)
  if (other) {
    const detail = 'csr: subject and subjectAltName must be those of the client certificate'
    return refuseField(other, { code: 'subject-mismatch', detail }, fields)
  }
  if (refusal) return { ...refusal, csr: { fields } }
  const linking = checkLinking(csr, profile, binding)
  if (!linking.ok) return refuseField(linking.field, linking, fields)
  return { profile, subject, csr: { fields: linking.fields.reduce(withField, fields) } }
}

/** What the credential is worth to the device at this moment: a certificate, the same one again, or none. */
function use(credential: Credential, device: DeviceRecord, csr: Csr, grant: Grant, now: Date): Verdict {
  const { publicKeyFingerprint } = csr
  const again = (serial: string): Verdict => ({ verdict: 'repeat', serial, csr: grant.csr })
  if (credential.kind === 'token' && credential.token?.used) {
    const { publicKey, serial } = credential.token.used
    if (publicKey === publicKeyFingerprint) return again(serial)
    const detail = 'token: it was used for another key; ask for a new one'
    return { verdict: 'refuse', code: 'token-used', detail }
  }
  if (credential.kind === 'claim' && credential.claim) {
    const worth = claimOnce(credential.claim, device, credential.use, publicKeyFingerprint, now)
    if (worth !== 'first') return 'again' in worth ? again(worth.again) : { verdict: 'refuse', ...worth }
  }
  // Bound to its key, it tells nobody anything that they do not know, however often.
  if (credential.kind === 'approval' && credential.approval?.serial !== undefined) {
    return again(credential.approval.serial)
  }
  const asked = credential.kind === 'operator' ? credential.lifetimeSeconds : undefined
  if (asked === undefined) return { verdict: 'issue', ...grant }
  const lifetimeSeconds = Math.min(grant.profile.lifetimeSeconds, asked)
  return { verdict: 'issue', ...grant, profile: { ...grant.profile, lifetimeSeconds } }
}

/**
 * A token never makes an operator or a claim; a claim, a manufacturer and an approval make devices only; an operator makes
 * claims only; and a renewal never changes the role.
 */
function checkRole(credential: Credential, profile: Profile): Refusal | undefined {
  const allowed =
    credential.kind === 'local' ||
    (credential.kind === 'token' && (profile.role === 'device' || profile.role === 'service')) ||
    (onlyDevices.has(credential.kind) && profile.role === 'device') ||
    (credential.kind === 'operator' && profile.role === 'claim') ||
    (credential.kind === 'certificate' && credential.role === profile.role && profile.role !== 'claim')
  if (allowed) return undefined
  return {
    code: 'role-not-allowed',
    detail: `profile: this credential cannot get a certificate of the profile ${profile.name}`,
  }
}

const onlyDevices: ReadonlySet<Credential['kind']> = new Set(['claim', 'idevid', 'approval'])

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
function refuseField(field: string, { code, detail }: Refusal, fields: readonly CsrField[]): Refusal {
  return { code, detail, csr: { fields: withField(fields, { field, decision: 'refused', reason: detail }) } }
}
