import { type Certificate, parseCertificate, PkiError } from '@fleetroot/pki'
import { FleetctlError, usageError } from '../error.ts'
import type { Answer } from '../output/answer.ts'
import type { Server } from '../server/server.ts'

/** A CA as the server shows it, and as `--json` prints it. */
export interface Authority {
  readonly id: string
  readonly kind: 'root' | 'devices' | 'services'
  readonly state: string
  readonly subjectKeyId?: string
  readonly notBefore?: string
  readonly notAfter?: string
  readonly activatesAt?: string
  readonly certificate: string
}

/** The CAs that are trusted, and how they certified each other. */
export interface Authorities {
  readonly trustDomain: string
  readonly authorities: readonly Authority[]
}

/** Reads the set of trusted CAs. */
export function readAuthorities(server: Server): Promise<Authorities> {
  return server.call('cannot read the CAs', { method: 'GET', path: '/v1/ca' })
}

/** The id of a CA on the command line: `root`, `devices`, `services-3`. */
export function authorityIdOf(text: string | undefined): string {
  if (text !== undefined && /^(?:root|devices|services)(?:-\d{1,6})?$/.test(text)) return text
  throw usageError(`ID: ${JSON.stringify(text)} is no id of a CA, such as root, devices or devices-2`)
}

/** The certificate that the server sent, parsed. */
export function certificateOf({ id, certificate }: Authority): Certificate {
  try {
    return parseCertificate(certificate)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    const message = `the server's certificate of ${id} cannot be read: ${error.message}`
    throw new FleetctlError('server-answer-invalid', message, { cause: error })
  }
}

/** One CA after something was done to it; `also` are files that were made. */
export function authorityAnswer(
  authority: Authority,
  also: { readonly files?: readonly string[] } = {},
): Answer {
  const { id, kind, state, activatesAt, notAfter } = authority
  return {
    kind: 'fields',
    json: { ...authority, ...also },
    fields: [
      ['id', id],
      ['kind', kind],
      ['state', state],
      ['activates at', activatesAt],
      ['valid until', notAfter],
      ...(also.files ?? []).map((file) => ['made', file] as const),
    ],
  }
}
