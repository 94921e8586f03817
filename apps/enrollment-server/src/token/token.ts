import { hash, randomBytes } from 'node:crypto'

// 256 bits in base64url without padding.
const grammar = /^[A-Za-z0-9_-]{43}$/

/** A new one-time token: 256 random bits, base64url, 43 characters. It is shown once and never stored. */
export function newToken(): string {
  return randomBytes(32).toString('base64url')
}

/** True if the text can be a token at all; whether one like it was ever given out is for the registry. */
export function isToken(text: string): boolean {
  return grammar.test(text)
}

/**
 * What the registry stores and looks up: SHA-256 in hex. A plain hash is enough for a secret of 256 random
 * bits, and looking up by it compares no secret byte by byte.
 */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex')
}
