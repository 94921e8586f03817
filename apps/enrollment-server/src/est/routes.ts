import { randomUUID } from 'node:crypto'
import { encodeCertsOnly, type Profile } from '@fleetroot/pki'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Authorities } from '../authority/authorities.ts'
import { transitionSet } from '../authority/authority.ts'
import type { Enroll } from '../enrollment/decisions.ts'
import type { EnrollmentOutcome } from '../enrollment/request.ts'
import { registrableProfiles } from '../config/profiles.ts'
import { bindingOf } from '../http/binding.ts'
import { type Operation, resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { decodeCsrBody, encodeBody } from './body.ts'
import { wantedAttributes } from './csr-attributes.ts'
import { refuseMatch } from '../rest/entity-tag.ts'

/** What EST serves from. */
export interface EstDependencies {
  readonly authorities: Authorities
  readonly enroll: Enroll
  readonly profiles: ReadonlyMap<string, Profile>
  /** The profile that the certificate of the caller is registered for, if it has one of ours. */
  readonly profileOf: (request: FastifyRequest) => Promise<string | undefined>
  /** Whether the server makes keys. */
  readonly serverKeygen: boolean
}

/**
 * Serves Enrollment over Secure Transport (RFC 7030 with the clarifications of RFC 8951): cacerts,
 * simpleenroll, simplereenroll, csrattrs and, where it is switched on, serverkeygen, without a label, with the name of a profile as label, and at
 * `/label/.well-known/est/…`, which is what strongSwan makes of `--url https://host/label`.
 */
export async function estRoutes(app: FastifyInstance, dependencies: EstDependencies): Promise<void> {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/pkcs10', { parseAs: 'buffer' }, (_request, body, done) => {
    done(null, body)
  })
  const { authorities } = dependencies
  const operations = {
    cacerts: {
      access: 'public',
      handler: async (request, reply) => {
        labelled(request, dependencies)
        await authorities.refresh()
        return sendPkcs7(request, reply, encodeCertsOnly(transitionSet(authorities.current())))
      },
    },
    simpleenroll: {
      access: 'basic-token',
      handler: async (request, reply) => sendCertificate(request, reply, await enroll(request, dependencies)),
    },
    simplereenroll: {
      access: 'renewal',
      handler: async (request, reply) => sendCertificate(request, reply, await enroll(request, dependencies)),
    },
    serverkeygen: dependencies.serverKeygen
      ? {
          access: 'basic-token',
          handler: async (request, reply) =>
            sendKey(request, reply, await enroll(request, dependencies, { serverKey: true })),
        }
      : { access: 'public', handler: refuseKeygen },
    csrattrs: {
      access: 'public',
      handler: async (request, reply) => {
        const profile = labelled(request, dependencies) ?? (await dependencies.profileOf(request))
        const wanted = wantedAttributes(profile, dependencies.profiles)
        // It depends on the certificate of the caller.
        reply.header('cache-control', 'no-store')
        if (!wanted) return reply.code(204).send()
        const body = encodeBody(wanted, request.headers['user-agent'])
        return reply.type('application/csrattrs').header('content-transfer-encoding', 'base64').send(body)
      },
    },
  } satisfies Record<string, Operation>

  for (const base of ['/.well-known/est', '/.well-known/est/:label', '/:label/.well-known/est']) {
    resource(app, `${base}/cacerts`, { GET: operations.cacerts })
    resource(app, `${base}/csrattrs`, { GET: operations.csrattrs })
    resource(app, `${base}/simpleenroll`, { POST: operations.simpleenroll })
    resource(app, `${base}/simplereenroll`, { POST: operations.simplereenroll })
    resource(app, `${base}/serverkeygen`, { POST: operations.serverkeygen })
  }
}

/** The profile that the label names, or nothing without a label. Refuses a label that names none. */
function labelled(request: FastifyRequest, { profiles }: EstDependencies): string | undefined {
  const { label } = (request.params ?? {}) as { label?: string }
  const registrable = registrableProfiles(profiles).map(({ name }) => name)
  // An operator renews itself here; nobody can be registered for the others.
  if (label === undefined || registrable.includes(label) || label === 'operator') return label
  throw new RequestRefused({
    code: 'profile-unknown',
    detail: `label: use one of ${registrable.join(', ')}, or none`,
  })
}

/** Every enrollment: what differs is the credential, which the gate has read, and what admission makes of it. */
async function enroll(
  request: FastifyRequest,
  dependencies: EstDependencies,
  keygen: { serverKey?: true } = {},
): Promise<Extract<EnrollmentOutcome, { ok: true }>> {
  refuseMatch(request.headers['if-match'])
  const profile = labelled(request, dependencies)
  const { credential, body } = request
  if (!credential)
    throw new RequestRefused({ code: 'credential-missing', detail: 'Authorization: is missing' })
  const decoded = decodeCsrBody(Buffer.isBuffer(body) ? body : Buffer.alloc(0))
  if (!decoded.ok) throw new RequestRefused(decoded)
  const outcome = await dependencies.enroll(
    {
      credential,
      csr: decoded.der,
      ...keygen,
      binding: bindingOf(request),
      ...(profile !== undefined && { profile }),
    },
    { protocol: 'est', address: request.ip },
  )
  if (!outcome.ok) throw new RequestRefused(outcome)
  return outcome
}

function sendCertificate(
  request: FastifyRequest,
  reply: FastifyReply,
  { certificate }: Extract<EnrollmentOutcome, { ok: true }>,
): FastifyReply {
  // RFC 7030, section 4.2.3: the certificate alone; its CA is what cacerts gives.
  return sendPkcs7(request, reply, encodeCertsOnly([certificate.der]))
}

/** The key and its certificate, as RFC 7030, section 4.4.2 has them; nothing of it is kept here or on the way. */
function sendKey(
  request: FastifyRequest,
  reply: FastifyReply,
  { certificate, privateKey }: Extract<EnrollmentOutcome, { ok: true }>,
): FastifyReply {
  if (!privateKey)
    throw new RequestRefused({ code: 'internal', detail: 'the server failed; ask for a new token' })
  const boundary = `key-${randomUUID()}`
  const part = (type: string, der: Uint8Array): string =>
    `--${boundary}\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n` +
    `${encodeBody(Buffer.from(der), request.headers['user-agent'])}\r\n`
  const certsOnly = encodeCertsOnly([certificate.der])
  return reply
    .type(`multipart/mixed; boundary=${boundary}`)
    .header('cache-control', 'no-store')
    .send(
      part('application/pkcs8', privateKey) +
        part('application/pkcs7-mime; smime-type=certs-only', certsOnly) +
        `--${boundary}--\r\n`,
    )
}

function refuseKeygen(): never {
  const detail = 'serverkeygen: it is switched off here; make the key on the device and use simpleenroll'
  throw new RequestRefused({ code: 'path-unknown', detail })
}

function sendPkcs7(request: FastifyRequest, reply: FastifyReply, der: Buffer): FastifyReply {
  return (
    reply
      .type('application/pkcs7-mime; smime-type=certs-only')
      // RFC 8951 lets everybody ignore it; clients that follow RFC 7030 to the letter look for it.
      .header('content-transfer-encoding', 'base64')
      .header('cache-control', 'no-store')
      .send(encodeBody(der, request.headers['user-agent']))
  )
}
