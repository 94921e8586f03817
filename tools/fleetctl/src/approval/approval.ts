import { usageError } from '../error.ts'
import type { Answer } from '../output/answer.ts'

/** What a device without a credential asks for, as the server shows it, and as `--json` prints it. */
export interface Approval {
  /** SHA-256 of its public key. */
  readonly id: string
  readonly deviceId: string
  readonly profile: string
  readonly state: string
  readonly address: string
  readonly askedAt: string
  readonly decidedAt?: string
  readonly expiresAt: string
  readonly serial?: string
}

/** The id of a request on the command line, whole: with a part of it somebody else could have a key that fits. */
export function approvalIdOf(text: string | undefined): string {
  if (text !== undefined && /^[0-9a-f]{64}$/.test(text)) return text
  throw usageError(
    `ID: ${JSON.stringify(text)} is no SHA-256 of a public key: 64 hexadecimal digits, as approval list shows them`,
  )
}

/** The path of a request in the REST API. */
export function approvalPath(id: string, rest = ''): string {
  return `/v1/approvals/${id}${rest}`
}

/** One request. */
export function approvalAnswer(approval: Approval): Answer {
  const { id, deviceId, profile, state, address, askedAt, decidedAt, expiresAt, serial } = approval
  return {
    kind: 'fields',
    json: approval,
    fields: [
      ['id', id],
      ['state', state],
      ['device', deviceId],
      ['profile', profile],
      ['address', address],
      ['asked', askedAt],
      ['decided', decidedAt],
      ['forgotten', expiresAt],
      ['certificate', serial],
    ],
  }
}
