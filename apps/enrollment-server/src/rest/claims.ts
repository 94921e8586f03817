import { type Csr, defaultProfiles, judgeCsr, parseCsr, PkiError, type Profile, toPem } from '@fleetroot/pki'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { isManagedId } from '../admission/inventory.ts'
import type { Authorities } from '../authority/authorities.ts'
import { chainOf } from '../authority/authority.ts'
import type { Enroll } from '../enrollment/decisions.ts'
import { decodeCsrBody } from '../est/body.ts'
import { resource } from '../http/resource.ts'
import { csrProblemKinds } from '../problem/csr-codes.ts'
import { csrRefusal } from '../problem/csr-refusal.ts'
import type { ProblemCode } from '../problem/codes.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { CertificateRecord, ClaimRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { revocationReason } from './certificate.ts'
import { cursor, decodeCursor, encodeCursor, pageLimit } from './cursor.ts'
import { batchName, deviceId, isoTime } from './device.ts'
import { changedMeanwhile, expectationOf } from './entity-tag.ts'
import { endpoint } from './endpoint.ts'
import type { Once } from './idempotency.ts'

const longest = defaultProfiles.claim.lifetimeSeconds

const newClaim = z.strictObject({
  id: deviceId,
  batch: batchName,
  quota: z
    .int({ error: 'must be a whole number of devices' })
    .min(1, { error: 'must be at least 1' })
    .max(1_000_000, { error: 'must be at most 1000000' }),
  csr: z
    .string({ error: 'must be a PKCS#10 request as text: PEM, or DER in base64' })
    .meta({ description: 'PKCS#10 with the id of the claim as CN, or none: PEM, or DER in base64' }),
  expiresInSeconds: z
    .int({ error: 'must be a whole number of seconds' })
    .min(60, { error: 'must be at least 60' })
    .max(longest, { error: `must be at most ${longest}` })
    .optional(),
})

type NewClaim = z.output<typeof newClaim>

const claim = z
  .object({
    id: z.string(),
    batch: z.string(),
    quota: z.int(),
    used: z.int().meta({ description: 'How many devices it has enrolled' }),
    state: z.enum(['usable', 'exhausted', 'expired', 'suspended', 'revoked', 'unfinished']),
    createdAt: z.iso.datetime(),
    serial: z.string().optional(),
    notAfter: z.iso.datetime().optional(),
    certificate: z.string().optional().meta({ description: 'PEM; in the answer that makes it' }),
    chain: z
      .array(z.string())
      .optional()
      .meta({ description: 'The CA certificates above it, without the root; PEM' }),
  })
  .meta({
    description: 'A claim: its certificate enrolls the devices of one batch, each once, up to a quota',
  })

/** Serves the claims: make, list, read, revoke. */
export function claimRoutes(
  app: FastifyInstance,
  options: {
    registry: Registry
    enroll: Enroll
    authorities: Pick<Authorities, 'current'>
    profiles: ReadonlyMap<string, Profile>
    trustDomain: string
    now: () => Date
    once: Once
  },
): void {
  const { registry, enroll, authorities, profiles, trustDomain, now, once } = options

  /** Looked at before anything is written, so that a CSR that may not be leaves no claim behind. */
  async function readCsr(text: string, id: ClaimRecord['id']): Promise<Csr> {
    const csr = await parseText(text)
    const profile = profiles.get(defaultProfiles.claim.name) ?? defaultProfiles.claim
    const { refusal, fields } = judgeCsr(csr, profile, { id, trustDomain, dns: [], ip: [] })
    if (refusal) throw new RequestRefused({ ...refusal, csr: { fields } })
    return csr
  }
  async function find(id: ClaimRecord['id']): Promise<ClaimRecord> {
    const found = await registry.findClaim(id)
    if (found) return found
    throw new RequestRefused({ code: 'claim-unknown', detail: `id: ${id} is no claim` })
  }

  async function makeClaim(
    { id, batch, quota, csr, expiresInSeconds }: Omit<NewClaim, 'csr'> & { csr: Csr },
    request: FastifyRequest,
    mayBeMade: boolean,
  ): Promise<z.input<typeof claim>> {
    const by = actorOf(request)
    const added = await registry.addClaim({ id, batch, quota, createdAtMs: now().getTime(), by })
    if (added === 'exists') {
      const before = mayBeMade && (await registry.findClaim(id))
      const serial = before && before.batch === batch && before.quota === quota && before.certificate?.serial
      const certificate = serial ? await registry.findCertificate(serial) : undefined
      if (certificate?.publicKey === csr.publicKeyFingerprint) return showMade(id, certificate)
      throw new RequestRefused({ code: 'claim-exists', detail: `id: ${id} is in the inventory` })
    }
    const lifetime = expiresInSeconds !== undefined && { lifetimeSeconds: expiresInSeconds }
    const outcome = await enroll(
      { credential: { kind: 'operator', id, by, ...lifetime }, csr: csr.der },
      { protocol: 'rest', address: request.ip },
    )
    if (!outcome.ok) throw new RequestRefused(outcome)
    return showMade(id, outcome.certificate)
  }
  async function showMade(
    id: ClaimRecord['id'],
    { der, issuer }: Pick<CertificateRecord, 'der' | 'issuer'>,
  ): Promise<z.input<typeof claim>> {
    return {
      ...showClaim(await find(id), now()),
      certificate: toPem('CERTIFICATE', der),
      chain: chainOf(authorities.current(), issuer).map(({ pem }) => pem),
    }
  }

  resource(app, '/v1/claims', {
    POST: endpoint({
      access: 'operator',
      summary: 'Make a claim certificate for a production batch',
      body: newClaim,
      answer: { status: 201, schema: claim },
      refusals: [
        'field-invalid',
        'body-malformed',
        'role-not-allowed',
        'claim-exists',
        'device-managed',
        'key-in-use',
        'key-of-authority',
        'idempotency-key-reused',
        ...(Object.keys(csrProblemKinds) as ProblemCode[]),
      ],
      handle: async ({ body, request, reply }) => {
        const { id } = body
        if (isManagedId(id)) {
          throw new RequestRefused({ code: 'device-managed', detail: `id: ${id} is the server's own` })
        }
        const csr = await readCsr(body.csr, id)
        const what = { request, asked: { ...body, csr: csr.publicKeyFingerprint }, atMs: now().getTime() }
        const made = await once(what, (since) => makeClaim({ ...body, csr }, request, since !== undefined))
        reply.header('location', `/v1/claims/${id}`)
        return made
      },
    }),
    GET: endpoint({
      access: 'operator',
      summary: 'List claims in the order of their ids',
      query: z.strictObject({ limit: pageLimit, cursor: cursor.optional() }),
      answer: {
        status: 200,
        schema: z.object({ items: z.array(claim), nextCursor: z.string().optional() }).meta({
          description: 'One page; `nextCursor` is there when more follow',
        }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ query: { limit, cursor } }) => {
        const after = cursor !== undefined && { after: decodeCursor(cursor) }
        const records = await registry.listClaims({ limit: limit + 1, ...after })
        const items = records.slice(0, limit).map((record) => showClaim(record, now()))
        const last = items.at(-1)
        return { items, ...(records.length > limit && last && { nextCursor: encodeCursor(last.id) }) }
      },
    }),
  })

  resource(app, '/v1/claims/:id', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read a claim',
      params: z.object({ id: deviceId }),
      answer: { status: 200, schema: claim },
      refusals: ['field-invalid', 'role-not-allowed', 'claim-unknown'],
      handle: async ({ params: { id } }) => showClaim(await find(id), now()),
    }),
  })

  resource(app, '/v1/claims/:id/revoke', {
    POST: endpoint({
      access: 'operator',
      summary: 'Revoke a claim for good; the devices that it has enrolled keep their certificates',
      params: z.object({ id: deviceId }),
      body: z.strictObject({ reason: revocationReason }).default({ reason: 'unspecified' }),
      answer: { status: 200, schema: claim },
      isConditional: true,
      refusals: ['field-invalid', 'role-not-allowed', 'claim-unknown'],
      handle: async ({ params: { id }, body: { reason }, request }) => {
        const record = await find(id)
        const expectation = await expectationOf(request, 'claim', id, async () => ({
          record,
          shown: showClaim(record, now()),
        }))
        const by = actorOf(request)
        const change = { id, change: 'revoke', reason, atMs: now().getTime(), by, ...expectation } as const
        const outcome = await registry.changeDevice(change)
        if (!outcome.ok && outcome.code === 'precondition-failed') throw changedMeanwhile()
        return showClaim(await find(id), now())
      },
    }),
  })
}

async function parseText(text: string): Promise<Csr> {
  const decoded = decodeCsrBody(Buffer.from(text, 'latin1'))
  if (!decoded.ok) throw new RequestRefused(decoded)
  try {
    return await parseCsr(decoded.der)
  } catch (error) {
    if (error instanceof PkiError) throw new RequestRefused(csrRefusal(error))
    throw error
  }
}

function showClaim(record: ClaimRecord, now: Date): z.input<typeof claim> {
  const { id, batch, quota, used, createdAtMs, certificate } = record
  return {
    id,
    batch,
    quota,
    used,
    state: stateOf(record, now),
    createdAt: isoTime(createdAtMs),
    ...(certificate && { serial: certificate.serial, notAfter: isoTime(certificate.notAfterMs) }),
  }
}

function stateOf(
  { state, certificate, used, quota }: ClaimRecord,
  now: Date,
): z.input<typeof claim>['state'] {
  if (state === 'retired' || certificate?.isRevoked) return 'revoked'
  if (!certificate) return 'unfinished'
  if (certificate.notAfterMs <= now.getTime()) return 'expired'
  if (state === 'suspended') return 'suspended'
  return used < quota ? 'usable' : 'exhausted'
}
