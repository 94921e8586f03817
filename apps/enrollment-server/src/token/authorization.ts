import { isDeviceId } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import { isToken } from './token.ts'

/** A token as it was sent, with the id beside it where the scheme has one. */
export type SentToken =
  | { readonly ok: true; readonly token: string; readonly id?: string }
  | ({ readonly ok: false } & Refusal)

// RFC 9110, section 11.4: scheme, one space or more, token68. The length stops long before the header limit.
const grammar = /^(Basic|Bearer) +([A-Za-z0-9._~+/=-]{1,512})$/i

/**
 * Reads `Authorization: Basic base64(id:token)` (RFC 7617) or `Bearer token` (RFC 6750). Refuses other
 * schemes, base64 that is not canonical, and everything that is not a device id and a token: what comes out
 * is safe to log (the id) and to look up (the hash of the token).
 */
export function readAuthorization(header: string | undefined, scheme: 'basic' | 'bearer'): SentToken {
  if (header === undefined || header === '') {
    return refuse('credential-missing', `Authorization: send ${fix[scheme]}`)
  }
  const [, sentScheme, value = ''] = grammar.exec(header) ?? []
  if (sentScheme?.toLowerCase() !== scheme) {
    return refuse('credential-malformed', `Authorization: must be ${fix[scheme]}`)
  }
  if (scheme === 'bearer') return checkToken(value)

  const decoded = Buffer.from(value, 'base64')
  const text = decoded.toString('utf8')
  const colon = text.indexOf(':')
  const id = text.slice(0, colon)
  if (colon < 0 || decoded.toString('base64') !== value || !isDeviceId(id)) {
    return refuse('credential-malformed', `Authorization: must be ${fix.basic}, with a device id`)
  }
  return checkToken(text.slice(colon + 1), id)
}

const fix = {
  basic: 'Basic and the base64 of id:token',
  bearer: 'Bearer and the token',
} as const

function checkToken(token: string, id?: string): SentToken {
  if (!isToken(token)) {
    return refuse('token-invalid', 'token: it is not a token of this server, which has 43 characters')
  }
  return { ok: true, token, ...(id !== undefined && { id }) }
}

function refuse(code: Refusal['code'], detail: string): SentToken {
  return { ok: false, code, detail }
}
