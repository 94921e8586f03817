import { type Certificate, parseCertificate } from '@fleetroot/pki'
import { z } from 'zod'
import type { Actor } from '../registry/records.ts'
import type { TrustedState } from './authority.ts'
import { type CaId, isCaId } from './ca-id.ts'

/** `requested`: its key is made and a root that is elsewhere has not signed it yet. `retired`: nobody trusts it. */
export type MemberState = 'requested' | TrustedState | 'retired'

/** A CA that there is or was. Its key is in `ca/<id>.key`. */
export interface Member {
  readonly id: CaId
  readonly state: MemberState
  /** SHA-256 of the SubjectPublicKeyInfo, hexadecimal. */
  readonly publicKey: string
  /** See `TrustedAuthority`; undefined while it is requested, and when that was given up. */
  readonly certificate?: Certificate
  readonly cross: readonly Certificate[]
  readonly introducedAtMs?: number
  readonly activatesAtMs?: number
}

/** What can happen to a CA. */
export type AuthorityChangeType =
  | 'authority-requested'
  | 'authority-introduced'
  | 'authority-activated'
  | 'authority-retired'

/** A change of the set, for the audit and the events. It is kept beside what it changed until both have it. */
export interface AuthorityChange {
  readonly revision: number
  readonly type: AuthorityChangeType
  readonly id: CaId
  readonly atMs: number
  readonly by?: Actor | undefined
  /** It was retired although certificates of it were in use. */
  readonly forced?: boolean | undefined
}

/** All CAs: the content of `ca/authorities.json`, whose replacement is the one moment at which anything changes. */
export interface Hierarchy {
  readonly revision: number
  /** In the order in which they were made. */
  readonly members: readonly Member[]
  /** The newest changes. */
  readonly changes: readonly AuthorityChange[]
}

/** How many changes are kept: far more than can wait for the audit. */
const keptChanges = 64

const caId = z.custom<CaId>((value) => typeof value === 'string' && isCaId(value), 'is not the id of a CA')
const certificate = z.string().transform((pem) => parseCertificate(pem))
const time = z.int().min(0)

const hierarchy = z.strictObject({
  version: z.literal(1),
  revision: z.int().min(1),
  members: z.array(
    z.strictObject({
      id: caId,
      state: z.enum(['requested', 'introduced', 'issuing', 'retiring', 'retired']),
      publicKey: z.string().regex(/^[0-9a-f]{64}$/),
      certificate: certificate.optional(),
      cross: z.array(certificate),
      introducedAtMs: time.optional(),
      activatesAtMs: time.optional(),
    }),
  ),
  changes: z.array(
    z.strictObject({
      revision: z.int().min(1),
      type: z.enum([
        'authority-requested',
        'authority-introduced',
        'authority-activated',
        'authority-retired',
      ]),
      id: caId,
      atMs: time,
      by: z
        .strictObject({
          kind: z.enum(['operator', 'service', 'device', 'server']),
          id: z.string(),
          serial: z.string().optional(),
          address: z.string().optional(),
        })
        .optional(),
      forced: z.boolean().optional(),
    }),
  ),
})

/**
 * Reads the content of `ca/authorities.json`. Whether its certificates belong together is for `verifyHierarchy`.
 * @throws {PkiError} for a certificate that is none
 * @throws {Error} naming the member that is wrong
 */
export function decodeHierarchy(text: string): Hierarchy {
  const parsed = hierarchy.safeParse(JSON.parse(text))
  if (parsed.success) return parsed.data as Hierarchy
  const [issue] = parsed.error.issues
  throw new Error(`${issue?.path.join('.')}: ${issue?.message}`)
}

/** The content of `ca/authorities.json`. Certificates stand in it, so that one rename changes all of them at once. */
export function encodeHierarchy({ revision, members, changes }: Hierarchy): string {
  const record = {
    version: 1,
    revision,
    members: members.map(({ certificate, cross, ...member }) => ({
      ...member,
      ...(certificate && { certificate: certificate.pem }),
      cross: cross.map(({ pem }) => pem),
    })),
    changes: changes.slice(-keptChanges),
  }
  return `${JSON.stringify(record, undefined, 2)}\n`
}
