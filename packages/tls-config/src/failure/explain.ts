import type { TLSSocket } from 'node:tls'
import { certificateFailure, certificateFailures } from './certificate.ts'
import type { CertificateFailure, CertificateFailureCode } from './certificate.ts'
import { alerts, explanations } from './handshake.ts'
import type { HandshakeFailureCode } from './handshake.ts'

/** Every way in which a TLS connection fails, as a stable code. */
export type TlsFailureCode = CertificateFailureCode | HandshakeFailureCode | 'unknown'

/** What happened and what to do: a code to `switch` on and a sentence for a log or a terminal. */
export interface TlsFailure {
  readonly code: TlsFailureCode
  readonly sentence: string
}

/** Who asks. */
export interface TlsFailureContext {
  /** The side that this program is. */
  readonly side: 'client' | 'server'
  /** The host that a client connects to; named in the sentence. */
  readonly host?: string
  /** The second argument of a server's `tlsClientError`: only the socket knows why a certificate was refused. */
  readonly socket?: Pick<TLSSocket, 'authorizationError'>
}

/**
 * Explains an error of `tls.connect`, of a server's `tlsClientError`, or of setting up either. Takes any
 * value and always answers, with code `unknown` and the error's own words at worst; `undefined` stands for a
 * connection that closed without an error. Never throws.
 *
 * @example
 * server.on('tlsClientError', (error, socket) => log.warn(explainTlsFailure(error, { side: 'server', socket })))
 */
export function explainTlsFailure(error: unknown, context: TlsFailureContext): TlsFailure {
  const { code, message } = wordsOf(error)
  const peer = peerOf(context)
  const refused = authorizationCode(context.socket) ?? (certificateFailures.has(code) ? code : undefined)
  if (refused !== undefined) {
    const failure = certificateFailure(refused)
    // Only the error knows whom the client has reached.
    const problem = /^the server's certificate (names .*)$/s.exec(message)?.[1] ?? failure.problem
    return certificateSentence(failure.code === 'wrong-server' ? { ...failure, problem } : failure, peer)
  }
  // OpenSSL has renamed the codes of alerts between versions; the number is the protocol's.
  const alert = /SSL alert number (\d+)/.exec(message)?.[1]
  const explanation =
    (alert === undefined ? undefined : alerts[Number(alert)]) ??
    explanations.get(code) ??
    explanations.get(codeInMessage(message))
  if (explanation === undefined)
    return { code: 'unknown', sentence: `TLS with ${peer} failed: ${message || code}` }
  return { code: explanation[0], sentence: capital(explanation[1].replaceAll('PEER', peer)) }
}

/** The sentence about a peer's certificate. */
export function certificateSentence(failure: CertificateFailure, peer: string) {
  return {
    code: failure.code,
    sentence: capital(`${peer}'s certificate ${failure.problem}: ${failure.fix}.`),
  }
}

/** Node declares an Error but sets OpenSSL's name for it, a string. */
export function authorizationCode(
  socket: Pick<TLSSocket, 'authorizationError'> | undefined,
): string | undefined {
  const reason: unknown = socket?.authorizationError
  if (typeof reason === 'string') return reason
  return reason instanceof Error ? wordsOf(reason).code : undefined
}

function wordsOf(error: unknown): { code: string; message: string } {
  // In TLS 1.3 a client is done before the server has looked at its certificate: a refusal is a bare close.
  if (error === undefined) return { code: 'ECONNRESET', message: '' }
  if (!(error instanceof Error))
    return { code: '', message: typeof error === 'string' ? error : 'no error was given' }
  const code: unknown = 'code' in error ? error.code : undefined
  return { code: typeof code === 'string' ? code : '', message: error.message.trim() }
}

/** What fails while something is written arrives as EPROTO, with OpenSSL's reason in the message alone. */
function codeInMessage(message: string): string {
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? ''
  return `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`
}

function peerOf(context: TlsFailureContext): string {
  if (context.side === 'server') return 'the client'
  return context.host === undefined ? 'the server' : `the server ${context.host}`
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1)
}
