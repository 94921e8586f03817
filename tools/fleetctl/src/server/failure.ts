import { explainTlsFailure, type TlsFailureCode } from '@fleetroot/tls-config'
import { FleetctlError } from '../error.ts'
import { AnswerTrouble } from './exchange.ts'
import type { ServerFiles } from './files.ts'

/** The server was not who it should be, so that nothing it says is believed. */
const untrusted: ReadonlySet<TlsFailureCode> = new Set([
  'certificate-expired',
  'certificate-not-yet-valid',
  'certificate-rejected',
  'certificate-revoked',
  'chain-too-deep',
  'fake-authority',
  'unknown-authority',
  'wrong-host-name',
  'wrong-server',
  'wrong-purpose',
])

const hints: Partial<Record<TlsFailureCode, (files: ServerFiles) => string>> = {
  'connection-refused': ({ urlFrom }) => `Is it running? Another address: ${urlFrom}`,
  'host-not-found': ({ urlFrom }) => `Another address: ${urlFrom}`,
  'unknown-authority': ({ trust }) =>
    `${trust} is what is trusted here: another server answers, or give its root with --trust`,
  'own-certificate-expired': ownCertificate,
  'own-certificate-refused': ownCertificate,
  'own-certificate-revoked': ownCertificate,
  'own-certificate-unknown-authority': ownCertificate,
}

function ownCertificate({ cert }: ServerFiles): string {
  return `The operator certificate is ${cert}. ${renewalHint}`
}

/** How to come to a new operator certificate when the old one is of no use any more. */
export const renewalHint =
  'A running enrollment server makes a new one in operator/ of its data directory: start it there, and copy both files from there to other machines'

/** The sentence for a connection that failed: which server, what happened, what to do. */
export function connectionFailure(error: unknown, files: ServerFiles): FleetctlError {
  const trouble = answerTrouble(error)
  if (trouble !== undefined) {
    const message = `${files.url}: ${trouble}; check that it is the HTTPS address of an enrollment server (${files.urlFrom})`
    return new FleetctlError('server-unreachable', message, { cause: error })
  }
  const { code, sentence } = explainTlsFailure(error, { side: 'client', host: new URL(files.url).hostname })
  const own = code.startsWith('own-certificate')
  const kind = own
    ? 'operator-identity-unusable'
    : untrusted.has(code)
      ? 'server-untrusted'
      : 'server-unreachable'
  const hint = hints[code]?.(files)
  const message = `${files.url}: ${sentence}${hint === undefined ? '' : ` ${hint}.`}`
  return new FleetctlError(kind, message, { cause: error })
}

/** What is wrong where TLS was not. */
function answerTrouble(error: unknown): string | undefined {
  if (error instanceof AnswerTrouble) return error.message
  const { code = '' } = error as NodeJS.ErrnoException
  return code.startsWith('HPE_') ? 'what answers there does not speak HTTP' : undefined
}
