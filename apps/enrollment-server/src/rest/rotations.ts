import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { caKinds, issuerKinds } from '../authority/ca-id.ts'
import type { AuditRefusal } from '../audit/refusals.ts'
import type { Rotation, RotationOutcome } from '../authority/rotation.ts'
import { resource } from '../http/resource.ts'
import { type Refusal, RequestRefused } from '../problem/refusal.ts'
import { actorOf } from './actor.ts'
import { authorityId, certificates, changedAuthority, introduceForSeconds, showChanged } from './authority.ts'
import { endpoint } from './endpoint.ts'
import type { Once } from './idempotency.ts'

/** What the changes of CAs are served from. */
export interface RotationDependencies {
  readonly rotation: Rotation
  readonly once: Once
  /** How long a new CA is known before it issues, unless the request says otherwise. */
  readonly introductionMs: number
  readonly now: () => Date
  readonly auditRefusal: AuditRefusal
}

/** Serves what an operator can do to the CAs. Each may be repeated when an answer was lost. */
export function rotationRoutes(app: FastifyInstance, dependencies: RotationDependencies): void {
  const { rotation, once, introductionMs, now, auditRefusal } = dependencies
  const wishOf = (request: FastifyRequest) => ({ atMs: now().getTime(), by: actorOf(request) })
  const introduction = (request: FastifyRequest, seconds: number | undefined) => ({
    ...wishOf(request),
    introduceForMs: seconds === undefined ? introductionMs : seconds * 1000,
  })
  const params = z.object({ id: authorityId })

  /** A refused change of whom the fleet trusts is worth a record: somebody had an operator certificate. */
  function refuse(request: FastifyRequest, { code, detail }: Refusal): RequestRefused {
    const { id } = actorOf(request)
    auditRefusal({ code, detail, operator: id, address: request.ip, path: request.routeOptions.url })
    return new RequestRefused({ code, detail })
  }
  function show(request: FastifyRequest, outcome: RotationOutcome): ReturnType<typeof showChanged> {
    if (!outcome.ok) throw refuse(request, outcome)
    return showChanged(outcome.member)
  }

  resource(app, '/v1/ca/rotations', {
    POST: endpoint({
      access: 'operator',
      summary: 'Make the next CA of a kind with the root key on this server, and introduce it',
      body: z.strictObject({
        kind: z.enum(caKinds, { error: `must be one of ${caKinds.join(', ')}` }),
        introduceForSeconds,
      }),
      answer: { status: 201, schema: changedAuthority },
      refusals: [
        'field-invalid',
        'role-not-allowed',
        'root-key-absent',
        'rotation-pending',
        'authority-state',
        'idempotency-key-reused',
      ],
      handle: ({ body, request }) =>
        once({ request, asked: body, atMs: now().getTime() }, async (sinceMs) => {
          const { kind, introduceForSeconds } = body
          const made = sinceMs === undefined ? undefined : await rotation.findIntroduced(kind, sinceMs)
          return made
            ? showChanged(made)
            : show(request, await rotation.rotate(kind, introduction(request, introduceForSeconds)))
        }),
    }),
  })

  resource(app, '/v1/ca/requests', {
    POST: endpoint({
      access: 'operator',
      summary: 'Make the key of the next issuing CA, for a root that is not on this server to sign',
      body: z.strictObject({
        kind: z.enum(issuerKinds, { error: `must be one of ${issuerKinds.join(', ')}` }),
      }),
      answer: {
        status: 201,
        schema: z
          .object({ id: z.string(), csr: z.string().meta({ description: 'PKCS#10, PEM' }) })
          .meta({ description: 'The key stays on the server; the same request again until it is fulfilled' }),
      },
      refusals: ['field-invalid', 'role-not-allowed', 'rotation-pending'],
      handle: async ({ body, request }) => {
        const outcome = await rotation.request(body.kind, wishOf(request))
        if (!outcome.ok) throw refuse(request, outcome)
        return { id: outcome.id, csr: outcome.csr }
      },
    }),
  })

  resource(app, '/v1/ca/requests/:id', {
    PUT: endpoint({
      access: 'operator',
      summary: 'Introduce a requested CA with the certificates that the root gave it',
      params,
      body: z.strictObject({ certificates, introduceForSeconds }),
      answer: { status: 200, schema: changedAuthority },
      refusals: [
        'field-invalid',
        'role-not-allowed',
        'authority-unknown',
        'authority-state',
        'authority-refused',
        'rotation-pending',
      ],
      handle: async ({ params: { id }, body, request }) =>
        show(
          request,
          await rotation.fulfil(id, body.certificates, introduction(request, body.introduceForSeconds)),
        ),
    }),
  })

  resource(app, '/v1/ca/roots', {
    POST: endpoint({
      access: 'operator',
      summary:
        'Introduce a root that was made elsewhere: the new root, new-with-old, old-with-new, every issuing CA by the new root',
      body: z.strictObject({ certificates, introduceForSeconds }),
      answer: { status: 201, schema: changedAuthority },
      refusals: ['field-invalid', 'role-not-allowed', 'authority-refused', 'rotation-pending'],
      handle: async ({ body, request }) =>
        show(
          request,
          await rotation.addRoot(body.certificates, introduction(request, body.introduceForSeconds)),
        ),
    }),
  })

  resource(app, '/v1/ca/:id/activate', {
    POST: endpoint({
      access: 'operator',
      summary: 'Let an introduced CA issue from now on',
      params,
      body: z.strictObject({}).default({}),
      answer: { status: 200, schema: changedAuthority },
      refusals: ['field-invalid', 'role-not-allowed', 'authority-unknown', 'authority-state'],
      handle: async ({ params: { id }, request }) =>
        show(request, await rotation.activate(id, wishOf(request))),
    }),
  })

  resource(app, '/v1/ca/:id/retire', {
    POST: endpoint({
      access: 'operator',
      summary: 'Trust a CA no longer, or give up one that is requested or introduced; for ever',
      params,
      body: z
        .strictObject({ force: z.boolean({ error: 'must be true or false' }).default(false) })
        .default({ force: false }),
      answer: { status: 200, schema: changedAuthority },
      refusals: [
        'field-invalid',
        'role-not-allowed',
        'authority-unknown',
        'authority-issuing',
        'authority-in-use',
      ],
      handle: async ({ params: { id }, body: { force }, request }) =>
        show(request, await rotation.retire(id, { ...wishOf(request), force })),
    }),
  })
}
