import type { Answer } from '../output/answer.ts'

/** A claim as the server shows it, and as `--json` prints it. */
export interface Claim {
  readonly id: string
  readonly batch: string
  readonly quota: number
  readonly used: number
  readonly state: string
  readonly createdAt: string
  readonly serial?: string
  readonly notAfter?: string
  /** In the answer that makes it. */
  readonly certificate?: string
  readonly chain?: readonly string[]
}

/** The path of a claim in the REST API. */
export function claimPath(id: string, rest = ''): string {
  return `/v1/claims/${encodeURIComponent(id)}${rest}`
}

/** One claim; `files` were made with it. */
export function claimAnswer(claim: Claim, files?: readonly string[]): Answer {
  const { id, batch, quota, used, state, createdAt, serial, notAfter } = claim
  return {
    kind: 'fields',
    json: { ...claim, ...(files && { files }) },
    fields: [
      ['id', id],
      ['state', state],
      ['batch', batch],
      ['used', `${used} of ${quota}`],
      ['made', createdAt],
      ['certificate', serial],
      ['valid until', notAfter],
      ...(files ?? []).map((file) => ['file', file] as const),
    ],
  }
}
