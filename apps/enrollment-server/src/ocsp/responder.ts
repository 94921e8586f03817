import {
  buildOcspResponse,
  certIdMatches,
  type FoundStatus,
  type Issuer,
  ocspErrorResponse,
  type OcspRequest,
  parseOcspRequest,
  PkiError,
  type SerialNumber,
} from '@fleetroot/pki'
import type { IssuingAuthority } from '../authority/authority.ts'
import type { CertificateRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'

/** An answer, and until when caches may give it again; without a time they may not. */
export interface OcspAnswer {
  readonly der: Buffer
  /** For the metrics: `good`, `revoked` or `unknown`, the worst of what was asked, or the name of the error. */
  readonly status: string
  readonly validity?: { readonly thisUpdate: Date; readonly nextUpdate: Date }
}

/** Answers OCSP requests in DER. Rejects only when the registry or a key fails. */
export type OcspResponder = (request: Uint8Array) => Promise<OcspAnswer>

/** A CA and who answers for it. */
export interface CaResponder {
  readonly issuer: IssuingAuthority
  readonly responder: Issuer
}

/** What a responder works with. */
export interface OcspDependencies {
  readonly registry: Pick<Registry, 'findCertificate'>
  /** The CAs that are trusted now, and the delegated signer of each: both change while the server runs. */
  readonly responders: () => readonly CaResponder[]
  readonly lifetimeMs: number
  readonly now: () => Date
}

/**
 * Returns the responder (RFC 6960, within the profile of RFC 5019). Every answer comes from the registry as it is at
 * that moment; nothing is signed in advance. A serial that the registry does not know is `unknown`, never good.
 * A request about a CA that is none of ours gets `unauthorized`; one that asks about several CAs is answered for
 * the CA of the first, and says `unknown` of the rest.
 */
export function createOcspResponder(dependencies: OcspDependencies): OcspResponder {
  const { registry, responders, lifetimeMs, now } = dependencies
  return async (der) => {
    let request: OcspRequest
    try {
      request = parseOcspRequest(der)
    } catch (error) {
      if (error instanceof PkiError) return ocspError('malformedRequest')
      throw error
    }
    const found = responders().find(({ issuer }) =>
      request.certIds.some((certId) => certIdMatches(certId, issuer.certificate)),
    )
    if (!found) return ocspError('unauthorized')
    const { issuer, responder } = found
    const thisUpdate = now()
    const nextUpdate = new Date(thisUpdate.getTime() + lifetimeMs)
    let worst: keyof typeof severity = 'good'
    const response = await buildOcspResponse({
      request,
      issuer: issuer.certificate,
      responder,
      producedAt: thisUpdate,
      thisUpdate,
      nextUpdate,
      statuses: async ({ serial }) => {
        const found = statusOf(await registry.findCertificate(serial), issuer.id)
        const status = found?.status ?? 'unknown'
        if (severity[status] > severity[worst]) worst = status
        return found
      },
    })
    // An answer with a nonce is for one client alone (RFC 5019, section 4).
    return { der: response, status: worst, ...(!request.nonce && { validity: { thisUpdate, nextUpdate } }) }
  }
}

const severity = { good: 0, unknown: 1, revoked: 2 } as const

/** An answer that is an error (RFC 6960, section 4.2.1). */
export function ocspError(status: Parameters<typeof ocspErrorResponse>[0]): OcspAnswer {
  return { der: ocspErrorResponse(status), status }
}

/** What the registry says of a certificate of this CA. */
function statusOf(record: CertificateRecord | undefined, issuer: string): FoundStatus | undefined {
  if (record?.issuer !== issuer) return undefined
  const { revocation } = record
  if (!revocation) return { status: 'good', serial: record.serial as SerialNumber }
  return { status: 'revoked', revokedAt: new Date(revocation.atMs), reason: revocation.reason }
}
