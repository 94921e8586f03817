import type { Certificate } from '@fleetroot/pki'

/**
 * When a certificate is due for renewal: after two thirds of its life, counted from notBefore. That leaves a
 * third of it for an enrollment server that is down.
 */
export function renewalDue(certificate: Pick<Certificate, 'notBefore' | 'notAfter'>): Date {
  const { notBefore, notAfter } = certificate
  const lifetimeMs = notAfter.getTime() - notBefore.getTime()
  return new Date(notBefore.getTime() + Math.floor((lifetimeMs * 2) / 3))
}
