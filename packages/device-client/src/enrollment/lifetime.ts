import type { StoredIdentity } from '../identity/stored-identity.ts'

/**
 * When an identity is due for renewal: after two thirds of the life that its certificate had when it was
 * obtained. That leaves a third of it for an enrollment server that is down. notBefore is no beginning: it is
 * backdated for devices without a clock, by more than a short-lived certificate lives.
 */
export function renewalDue(identity: Pick<StoredIdentity, 'certificate' | 'obtainedAt'>): Date {
  const { notBefore, notAfter } = identity.certificate
  const start = Math.max(notBefore.getTime(), identity.obtainedAt.getTime())
  return new Date(start + Math.floor(((notAfter.getTime() - start) * 2) / 3))
}
