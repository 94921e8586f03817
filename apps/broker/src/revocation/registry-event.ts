import { parseSerial, PkiError, type SerialNumber } from '@fleetroot/pki'
import { z } from 'zod'

/** The grammar of the ids that the enrollment server has for its issuing CAs; they are parts of URLs and file names here. */
export const issuerIdPattern = /^(?:devices|services)(?:-[1-9]\d{0,5})?$/

/** What an event does to the certificates that it lists. */
export type Effect = 'revoked' | 'suspended' | 'resumed' | 'none'

/** The type of the event that says that other CAs are trusted now. */
export const authoritiesEvent = 'authorities'

/** One change in the registry, as `GET /v1/events` tells it. */
export interface RegistryEvent {
  /** One more than that of the event before. */
  readonly id: number
  readonly type: string
  readonly deviceId: string | undefined
  readonly effect: Effect
  readonly certificates: readonly {
    /** Id of the issuing CA. */
    readonly issuer: string
    readonly serial: SerialNumber
    readonly reason: string | undefined
  }[]
}

/** Bytes that are not an event, or an event that nobody here understands; `id` where at least that is known. */
export interface UnreadableEvent {
  readonly id: number | undefined
  readonly problem: string
}

const effects: ReadonlyMap<string, Effect> = new Map([
  ['issued', 'none'],
  ['renewed', 'none'],
  ['revoked', 'revoked'],
  ['suspended', 'suspended'],
  ['resumed', 'resumed'],
  [authoritiesEvent, 'none'],
  // Certificates of a retired device are revoked (cessationOfOperation).
  ['retired', 'revoked'],
])

const serial = z.string().transform((text, context) => {
  try {
    return parseSerial(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof PkiError ? error.message : 'unreadable' })
    return z.NEVER
  }
})

const schema = z.object({
  id: z.int().min(1),
  type: z.string(),
  deviceId: z.string().optional(),
  certificates: z
    .array(z.object({ issuer: z.string().regex(issuerIdPattern), serial, reason: z.string().optional() }))
    .default([]),
})

/**
 * Reads the fields of a server-sent event. An event of a kind that is not known here is unreadable, too: what
 * it did to which certificate is in the revocation lists, and the caller fetches those.
 */
export function readEvent(id: string, type: string, data: string): RegistryEvent | UnreadableEvent {
  const number = /^[1-9]\d{0,15}$/.test(id) ? Number(id) : Number.NaN
  if (!Number.isSafeInteger(number)) {
    return { id: undefined, problem: `the event id ${JSON.stringify(id.slice(0, 40))} is not a number` }
  }
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return { id: number, problem: 'its data is not JSON' }
  }
  const parsed = schema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { id: number, problem: `data.${issue?.path.join('.')}: ${issue?.message}` }
  }
  const event = parsed.data
  if (event.id !== number) return { id: number, problem: `its data has another id, ${event.id}` }
  if (event.type !== type) return { id: number, problem: 'its data has another type than the event' }
  const effect = effects.get(type)
  if (effect === undefined)
    return { id: number, problem: `${JSON.stringify(type.slice(0, 40))} is no known type` }
  return {
    id: number,
    type,
    deviceId: event.deviceId,
    effect,
    certificates: event.certificates.map(({ issuer, serial, reason }) => ({ issuer, serial, reason })),
  }
}
