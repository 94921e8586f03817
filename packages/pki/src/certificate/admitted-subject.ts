import type { DeviceId } from '../device-id.ts'

/**
 * Whom the credential allowed: what goes into the certificate besides the key. It comes from the inventory
 * and the admission decision, never from the CSR.
 */
export interface AdmittedSubject {
  readonly id: DeviceId
  /** The trust domain of the SPIFFE URI, for example `fleet.example`. */
  readonly trustDomain: string
  /** DNS names, for profiles whose `subjectAltNames` allow `dns`. */
  readonly dns?: readonly string[]
  /** IP addresses in text, for profiles whose `subjectAltNames` allow `ip`. */
  readonly ip?: readonly string[]
}
