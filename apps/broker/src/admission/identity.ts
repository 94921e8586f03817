import type { SerialNumber } from '@fleetroot/pki'
import type { Subject } from '@fleetroot/policy'

/** Who is at the other end of a connection, all of it proven by its certificate and its chain. */
export interface Identity extends Subject {
  readonly serial: SerialNumber
  /** `CN=…` of the issuing CA, for logs. */
  readonly issuer: string
  /** Subject key identifier of the issuing CA, lower-case hex: with `serial` it names the certificate. */
  readonly issuerKeyId: string
  /** The listener through which it came, whose policy goes for it; left out: the policy of all. */
  readonly listener?: string
  /** When the certificate ends, in milliseconds since 1970. From then on nothing passes. */
  readonly notAfterMs: number
}
