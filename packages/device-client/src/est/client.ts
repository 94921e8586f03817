import type { TLSSocket } from 'node:tls'

import { type Certificate, decodeCertsOnly, parseCsr } from '@fleetroot/pki'
import {
  channelBinding,
  clientTlsOptions,
  enrollmentServer,
  type ServerIdentity,
  type KeyAndCertificate,
  type TlsMode,
} from '@fleetroot/tls-config'

import { DeviceClientError } from '../error.ts'
import { type HttpsAnswer, type HttpsRequest, httpsServer } from '../https/exchange.ts'
import { refusal } from '../https/refusal.ts'
import { parseServerUrl } from '../https/url.ts'
import { buildChain } from '../identity/chain.ts'
import { type AnchorChange, type Trust, type TrustAnchors, trustAnchors } from '../trust/anchors.ts'
import { decodeBase64Body, encodeBase64Body } from './base64-body.ts'
import { type CsrAttribute, decodeCsrAttributes } from './csr-attributes.ts'
import { ownCertificate } from './issued.ts'

/** Options of `createEstClient`. */
export interface EstClientOptions {
  /** `https://host[:443]` of the enrollment server; the path is RFC 7030's. */
  url: string
  /** EST label (RFC 7030 section 3.2.2): the profile to enroll for, where the server wants it named. */
  label?: string
  /**
   * For the server's TLS certificate and for the certificate that it issues: PEM, pinned for good, or the anchors
   * of `openTrustAnchors`, which follow a rollover.
   */
  trust: Trust
  /** For `simpleReenroll`, unless it is given one. */
  identity?: KeyAndCertificate
  /** TLS 1.2 and 1.3 (`compatible`, the default) or 1.3 only. */
  mode?: TlsMode
  /** The name that the server's certificate must be for. Default: the host of `url`. */
  serverName?: string
  /**
   * Whom the server's certificate must name beside the host, so that no other service can pose as it and collect tokens.
   * Default: the enrollment server of Fleetroot. `any`: whoever has the name, for an EST server of another make.
   */
  server?: ServerIdentity | 'any'
  /** For each request, connecting included. Default 30,000. */
  timeoutMs?: number
  /** Default: the system's clock. */
  now?: () => Date
}

/** HTTP Basic credentials (RFC 7030 section 3.2.3): the device id and its one-time token. */
export interface EstCredential {
  username: string
  password: string
}

/** A claim, or a certificate from the factory (IDevID), with which a device enrolls over mutual TLS. Nothing at all: an operator is asked. */
export interface EstIdentity {
  identity: KeyAndCertificate
}

/**
 * Makes a CSR for one connection: with `challengePassword` as such in it, the request is linked to that connection (RFC 7030,
 * section 3.5), and nobody else can send it. Called again, for the same key, when the request has to be repeated on another
 * connection.
 * @example (challengePassword) => createCsr({ privateKey, commonName: 'pump-7', challengePassword })
 */
export type LinkedCsr = (challengePassword: string) => Uint8Array

/**
 * One enrollment server. All of the methods throw DeviceClientError: `network-failed`, `tls-failed`,
 * `timed-out`; `pending` (202; `retryAfterMs`), `request-refused`, `credential-refused` (401), `forbidden`
 * (403), `conflict` (409), `rate-limited` (429), `server-failed` (5xx), each with the server's reason;
 * `response-unexpected`, `response-too-large`, `response-invalid`.
 */
export interface EstClient {
  /** What is trusted now. */
  readonly anchors: TrustAnchors
  /** What the server calls its CAs (RFC 7030 section 4.1): roots, cross certificates and issuing CAs, not verified. */
  cacerts(): Promise<Certificate[]>
  /**
   * Asks for cacerts and has the anchors learn from it. Callers at the same time share one request, and one that
   * is younger than `maxAgeMs` (default 0) is not repeated. Throws also DeviceClientError `store-failed`.
   */
  refreshTrust(options?: { maxAgeMs?: number }): Promise<AnchorChange>
  /** What the server wants in a CSR (section 4.5); undefined if it has no wishes (204, 404). */
  csrattrs(): Promise<CsrAttribute[] | undefined>
  /**
   * Enrolls (section 4.2.1) and gives back a certificate that was checked: for the CSR's key, for the id
   * `username` (or, with other credentials, the CSR's CN), valid now, and issued below the trust anchors. Throws also `certificate-wrong-key`,
   * `certificate-wrong-id`, `certificate-untrusted`, `certificate-not-valid-now`, and PkiError for a bad CSR.
   */
  simpleEnroll(csr: Uint8Array | LinkedCsr, credential?: EstCredential | EstIdentity): Promise<Certificate>
  /** Renews over mutual TLS (section 4.2.2), on a connection of its own; checked as `simpleEnroll` does, for the CSR's CN. */
  simpleReenroll(csr: Uint8Array | LinkedCsr, identity?: KeyAndCertificate): Promise<Certificate>
  /** The issuing CAs of `certificate`, nearest first, without the root. Throws as `simpleEnroll`. */
  issuersOf(certificate: Certificate): Promise<Certificate[]>
  /** Closes idle connections. */
  close(): void
}

/** cacerts of a large deployment stay far below; a certificate is about 1 KiB. */
const MAX_RESPONSE_BYTES = 256 * 1024

/**
 * Makes a client for EST (RFC 7030, RFC 8951). One client serves any number of devices that enroll with
 * tokens: they share its kept-alive connections. The server is always verified against `trust`.
 *
 * Throws DeviceClientError `url-invalid` or `option-invalid`, TlsConfigError if `trust` holds no CA.
 */
export function createEstClient(options: EstClientOptions): EstClient {
  const { mode = 'compatible', serverName, timeoutMs = 30_000, now = () => new Date() } = options
  const { server: expected = enrollmentServer } = options
  const url = parseServerUrl(options.url, ['https:'])
  if (url.pathname !== '/') {
    throw new DeviceClientError(
      'url-invalid',
      `the EST URL has the path ${url.pathname}: give only https://host:port`,
    )
  }
  if (options.label !== undefined && !/^[A-Za-z0-9._-]+$/.test(options.label)) {
    throw new DeviceClientError(
      'option-invalid',
      'label: an EST label has only the characters A-Z a-z 0-9 . _ -',
    )
  }
  const base = `/.well-known/est${options.label === undefined ? '' : `/${options.label}`}`
  const anchors = trustAnchors(options.trust)
  const tlsFor = (identity?: KeyAndCertificate) =>
    clientTlsOptions({
      trust: anchors.pem,
      mode,
      ...(expected === 'any' ? {} : { server: expected }),
      ...(identity === undefined ? {} : { identity }),
      ...(serverName === undefined ? {} : { serverName }),
    })
  let anonymous = { pem: anchors.pem, options: tlsFor() }
  const anonymousTls = () => {
    if (anonymous.pem !== anchors.pem) anonymous = { pem: anchors.pem, options: tlsFor() }
    return anonymous.options
  }
  const server = httpsServer(url, anonymousTls, { timeoutMs, maxResponseBytes: MAX_RESPONSE_BYTES })
  let refreshing: { startedAt: number; change: Promise<AnchorChange> } | undefined
  let refreshed: { startedAt: number; change: AnchorChange } | undefined

  async function cacerts(): Promise<Certificate[]> {
    const answer = await ask('cacerts', { method: 'GET', path: `${base}/cacerts` })
    return certificatesIn(answer, 'cacerts')
  }

  async function refreshTrust({ maxAgeMs = 0 }: { maxAgeMs?: number } = {}): Promise<AnchorChange> {
    const isRecent = refreshed !== undefined && refreshed.startedAt >= performance.now() - maxAgeMs
    if (refreshed !== undefined && isRecent) return refreshed.change
    return (refreshing ?? learnAnew()).change
  }

  /** By an answer to a question that was asked after `sinceMs`; those who wait for one share it. */
  async function refreshTrustSince(sinceMs: number): Promise<void> {
    const asked = refreshing
    if (asked !== undefined && asked.startedAt < sinceMs) {
      await asked.change.catch(() => undefined)
      await refreshTrustSince(sinceMs)
      return
    }
    if (refreshed !== undefined && refreshed.startedAt >= sinceMs) return
    await (refreshing ?? learnAnew()).change
  }

  function learnAnew(): { startedAt: number; change: Promise<AnchorChange> } {
    const startedAt = performance.now()
    const learn = async (): Promise<AnchorChange> => {
      try {
        const change = await anchors.learn(await cacerts())
        refreshed = { startedAt, change }
        return change
      } finally {
        refreshing = undefined
      }
    }
    refreshing = { startedAt, change: learn() }
    return refreshing
  }

  function chainOf(certificate: Certificate): Certificate[] {
    const { certificates: trust, intermediates: issuers } = anchors
    return buildChain(certificate, { issuers, trust, now: now() })
  }

  async function issuersOf(certificate: Certificate): Promise<Certificate[]> {
    try {
      return chainOf(certificate)
    } catch {
      // The server may have a new issuing CA since: only a fresh list can tell.
      await refreshTrust()
      return chainOf(certificate)
    }
  }

  /** Sends and gives back a 200; every other status becomes an error. */
  async function ask(operation: string, request: HttpsRequest): Promise<HttpsAnswer> {
    const answer = await server.send(request)
    if (answer.status !== 200) throw refusal(answer, `EST ${operation}`, now())
    return answer
  }

  /** Posts a CSR; `id` undefined means that of the CSR. */
  async function enroll(
    operation: string,
    asked: Uint8Array | LinkedCsr,
    id: string | undefined,
    extra: Pick<HttpsRequest, 'headers' | 'tls'>,
  ): Promise<Certificate> {
    let der = typeof asked === 'function' ? undefined : asked
    // Before it is sent: a CSR that is none must not use up a token.
    if (der) await parseCsr(der)
    const answer = await ask(operation, {
      ...extra,
      method: 'POST',
      path: `${base}/${operation}`,
      headers: {
        ...extra.headers,
        'content-type': 'application/pkcs10',
        // RFC 8951 takes the header's meaning away; servers from before it want to see it.
        'content-transfer-encoding': 'base64',
        accept: 'application/pkcs7-mime',
      },
      body:
        typeof asked === 'function'
          ? (connection) => encodeBase64Body((der = asked(linkOf(connection))))
          : encodeBase64Body(asked),
    })
    const issuedBeforeMs = performance.now()
    const csr = await parseCsr(der ?? Buffer.alloc(0))
    const certificate = ownCertificate(certificatesIn(answer, operation), csr, id ?? csr.commonName ?? '')
    if (anchors.isLearning) {
      // The server takes it that whoever was given a certificate knows the roots of that moment, and retires the old
      // ones by it. What cannot be learned now is learned by the next look, well before that.
      await refreshTrustSince(issuedBeforeMs).catch(() => undefined)
    }
    await issuersOf(certificate)
    return certificate
  }

  return {
    anchors,
    cacerts,
    refreshTrust,
    issuersOf,

    async csrattrs() {
      const answer = await server.send({ method: 'GET', path: `${base}/csrattrs` })
      if (answer.status === 204 || answer.status === 404) return undefined
      if (answer.status !== 200) throw refusal(answer, 'EST csrattrs', now())
      return decodeCsrAttributes(decodeBase64Body(answer.body))
    },

    async simpleEnroll(csr, credential) {
      if (!credential) return enroll('simpleenroll', csr, undefined, {})
      if ('identity' in credential) {
        return enroll('simpleenroll', csr, undefined, { tls: tlsFor(credential.identity) })
      }
      const { username, password } = credential
      if (username.includes(':')) {
        throw new DeviceClientError(
          'option-invalid',
          'username: HTTP Basic allows no colon in it (RFC 7617 section 2)',
        )
      }
      const basic = Buffer.from(`${username}:${password}`).toString('base64')
      return enroll('simpleenroll', csr, username, { headers: { authorization: `Basic ${basic}` } })
    },

    async simpleReenroll(csr, identity = options.identity) {
      if (!identity) {
        throw new DeviceClientError(
          'option-invalid',
          'identity: simplereenroll needs the current key and certificate',
        )
      }
      return enroll('simplereenroll', csr, undefined, { tls: tlsFor(identity) })
    },

    close: () => server.close(),
  }
}

/** The channel binding of a connection as a CSR has it: tls-unique on TLS 1.2, the exporter of RFC 9266 on TLS 1.3, in base64. */
function linkOf(connection: TLSSocket): string {
  const binding = channelBinding(connection, 'client')
  if (binding.kind !== 'none') return binding.value.toString('base64')
  throw new DeviceClientError('tls-failed', `the CSR cannot be linked to the connection: ${binding.detail}`)
}

function certificatesIn(answer: HttpsAnswer, operation: string): Certificate[] {
  const der = decodeBase64Body(answer.body)
  try {
    return decodeCertsOnly(der)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DeviceClientError(
      'response-invalid',
      `EST ${operation}: the answer is no PKCS#7 certs-only (${why})`,
      {
        cause: error,
      },
    )
  }
}
