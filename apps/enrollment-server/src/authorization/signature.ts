import { createHmac } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { ServiceError } from '@fleetroot/service'

const grammar = /^whsec_([A-Za-z0-9+/]+={0,2})$/
const leastBytes = 24
const mostBytes = 64

/**
 * Reads the secrets that requests are signed with: one a line, `whsec_` and the base64 of 24 to 64 octets, as Standard Webhooks
 * writes them. More than one, so that a secret can be replaced: each signs.
 * @throws {ServiceError} `config` when the file cannot be read, others may read it, or it holds something else
 */
export function readSecrets(file: string): Buffer[] {
  const refuse = (why: string, cause?: unknown): ServiceError =>
    new ServiceError('config', `authorizationSecretFile: ${file} ${why}`, { cause })
  let text: string
  try {
    if ((statSync(file).mode & 0o077) !== 0) throw refuse('may be read by others; chmod 600 it')
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof ServiceError) throw error
    throw refuse(`cannot be read: ${(error as Error).message}`, error)
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length === 0) throw refuse('is empty; write whsec_ and the base64 of 32 random octets into it')
  return lines.map((line, index) => {
    const secret = Buffer.from(grammar.exec(line.trim())?.[1] ?? '', 'base64')
    if (secret.length >= leastBytes && secret.length <= mostBytes) return secret
    throw refuse(`line ${index + 1} must be whsec_ and the base64 of ${leastBytes} to ${mostBytes} octets`)
  })
}

/**
 * The headers that prove who sends a body, and when: Standard Webhooks, HMAC-SHA256 over id, time and body
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
export function signedHeaders(
  secrets: readonly Buffer[],
  { id, atMs, body }: { id: string; atMs: number; body: string },
): Record<string, string> {
  const timestamp = String(Math.floor(atMs / 1000))
  const signatures = secrets.map(
    (secret) => `v1,${createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  }
}
