import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { TLSSocket } from 'node:tls'
import type { Profile } from '@fleetroot/pki'
import { authenticate } from '../admission/credential.ts'
import { brokerProfile } from '../config/profiles.ts'
import { graceOf } from '../enrollment/identify.ts'
import type { PresentedCredential } from '../enrollment/request.ts'
import type { ProblemCode } from '../problem/codes.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import { readAuthorization } from '../token/authorization.ts'
import { tokenHash } from '../token/token.ts'
import { type Bootstrap, presentedWithoutToken } from './bootstrap.ts'
import type { Attempt } from './attempts.ts'
import type { PeerReader } from './peer.ts'

/**
 * Who may use a route: `public` everybody; `basic-token` and `bearer-token` whoever sends what can be a one-time
 * token in that scheme (enrollment looks it up, and uses it up in the transaction that records the certificate), and
 * whoever sends none but has a claim certificate, which gets in nowhere else, or where that is configured a manufacturer's, or nothing;
 * `renewal` every identity with a certificate of this
 * hierarchy that is valid, or has expired and is still within the grace of its profile; `operator` those with that role; `service`
 * those with the role service or operator; `broker` services that are registered for the profile of a broker.
 */
export type Access = 'public' | 'basic-token' | 'bearer-token' | 'renewal' | 'service' | 'operator' | 'broker'

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    isStreamed?: boolean
  }
  interface FastifyRequest {
    /** Set by the access gate, where the route is not public. */
    credential: PresentedCredential | undefined
  }
}

/** What the gate asks. */
export interface AccessGate {
  readonly registry: Registry
  readonly profiles: ReadonlyMap<string, Profile>
  readonly readPeer: PeerReader
  readonly bootstrap: Bootstrap
  readonly now: () => Date
  /** Throws when this address has made too many of these attempts that failed. */
  readonly checkAttempts: (request: FastifyRequest, attempt: Attempt) => Promise<void>
  readonly countFailure: (request: FastifyRequest, attempt: Attempt) => Promise<void>
  /** Told every refusal of the gate, for log and metrics. */
  readonly refused: (request: FastifyRequest, code: string) => void
}

/**
 * Puts the one gate in front of every route. It fails closed twice: a route without a declared access cannot
 * be registered, and whatever is not plainly allowed is refused.
 */
export function guardRoutes(app: FastifyInstance, gate: AccessGate): void {
  app.decorateRequest('credential', undefined)
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.access === undefined) throw new Error(`route ${url} does not declare its access`)
  })
  app.addHook('onRequest', async (request) => {
    // Nothing is at this path: the answer is the same for everybody.
    if (request.is404) return
    try {
      request.credential = await admitCaller(request, gate)
    } catch (error) {
      if (error instanceof RequestRefused) gate.refused(request, error.refusal.code)
      throw error
    }
  })
  // Whoever found out that it is none, the gate or enrollment.
  app.addHook('onError', async (request, _reply, error) => {
    const attempt = error instanceof RequestRefused && failures.get(error.refusal.code)
    if (attempt) await gate.countFailure(request, attempt)
  })
}

const failures: ReadonlyMap<string, Attempt> = new Map<ProblemCode, Attempt>([
  ['credential-malformed', 'token'],
  ['token-invalid', 'token'],
  ['token-expired', 'token'],
  ['token-used', 'token'],
  ['idevid-refused', 'idevid'],
])

async function admitCaller(
  request: FastifyRequest,
  gate: AccessGate,
): Promise<PresentedCredential | undefined> {
  const { access } = request.routeOptions.config
  switch (access) {
    case 'public':
      return undefined
    case 'basic-token':
      return presentedToEnroll(request, gate, 'basic')
    case 'bearer-token':
      return presentedToEnroll(request, gate, 'bearer')
    case 'renewal':
      return callerByCertificate(request, gate, { mayBeLate: true })
    case 'service':
    case 'operator': {
      const caller = await callerByCertificate(request, gate)
      const { role } = caller
      if (role === 'operator' || (role === 'service' && access === 'service')) return caller
      throw new RequestRefused({
        code: 'role-not-allowed',
        detail: `client certificate: this needs the role ${access === 'service' ? 'service or ' : ''}operator`,
      })
    }
    case 'broker': {
      const caller = await callerByCertificate(request, gate)
      const device = await gate.registry.findDevice(caller.id)
      if (caller.role === 'service' && device?.profile === brokerProfile) return caller
      throw new RequestRefused({
        code: 'role-not-allowed',
        detail: `client certificate: this needs a service that is registered for the profile ${brokerProfile}`,
      })
    }
    case undefined:
    default:
      // Fails closed: nothing was declared, or something that this gate does not know.
      throw new RequestRefused({ code: 'internal', detail: 'this route is closed' })
  }
}

async function presentedToEnroll(
  request: FastifyRequest,
  gate: AccessGate,
  scheme: 'basic' | 'bearer',
): Promise<PresentedCredential> {
  const claim = await presentedClaim(request, gate)
  if (claim) return claim
  const stranger = presentedWithoutToken(request, gate)
  if (stranger?.kind === 'idevid') await gate.checkAttempts(request, 'idevid')
  return stranger ?? presentedToken(request, gate, scheme)
}

/** A claim counts where no token is sent: libest sends its certificate along with a token, too. */
function presentedClaim(request: FastifyRequest, gate: AccessGate): Promise<PresentedCredential> | undefined {
  if (request.headers.authorization !== undefined) return undefined
  const seen = gate.readPeer(request.raw.socket as TLSSocket)
  const peer = seen.kind === 'refused' ? seen.expired : seen
  if (peer?.kind !== 'identity' || peer.role !== 'claim') return undefined
  return callerByCertificate(request, gate).then(({ id, serial, der }) => ({
    kind: 'claim',
    id,
    serial,
    der,
  }))
}

async function presentedToken(
  request: FastifyRequest,
  gate: AccessGate,
  scheme: 'basic' | 'bearer',
): Promise<PresentedCredential> {
  const sent = readAuthorization(request.headers.authorization, scheme)
  // libest asks once without credentials to hear what to send: that is no attempt.
  if (!sent.ok && sent.code === 'credential-missing') throw new RequestRefused(sent)
  await gate.checkAttempts(request, 'token')
  if (!sent.ok) throw new RequestRefused(sent)
  return {
    kind: 'token',
    hash: tokenHash(sent.token),
    ...(sent.id !== undefined && { sentId: sent.id }),
  }
}

/**
 * Looks once more at the certificate of a request that was admitted long ago and still has an answer coming.
 * Rejects when the certificate was revoked or has expired, or its device may not act any more.
 */
export async function recheckCaller(request: FastifyRequest, gate: AccessGate): Promise<void> {
  await callerByCertificate(request, gate)
}

async function callerByCertificate(
  request: FastifyRequest,
  gate: AccessGate,
  { mayBeLate = false } = {},
): Promise<Extract<PresentedCredential, { kind: 'certificate' }>> {
  const seen = gate.readPeer(request.raw.socket as TLSSocket)
  const peer = mayBeLate && seen.kind === 'refused' && seen.expired ? seen.expired : seen
  if (peer.kind === 'none') {
    throw new RequestRefused({
      code: 'certificate-required',
      detail: 'client certificate: connect with one of this hierarchy',
    })
  }
  if (peer.kind === 'refused') {
    throw new RequestRefused({ code: 'certificate-refused', detail: `client certificate: ${peer.detail}` })
  }
  const { id, role, certificate, serial } = peer
  const [record, device] = await Promise.all([
    gate.registry.findCertificate(serial),
    gate.registry.findDevice(id),
  ])
  const now = gate.now()
  const isLate = mayBeLate && certificate.notAfter <= now
  const grace = isLate && { grace: await graceOf(record, gate.registry, gate.profiles) }
  const authentication = authenticate({ kind: 'certificate', id, role, certificate, record, ...grace }, now)
  if (!authentication.ok) throw new RequestRefused(authentication)
  if (!device || device.state === 'suspended' || device.state === 'retired') {
    throw new RequestRefused({
      code: 'device-inactive',
      detail: `id: ${id} is ${device?.state ?? 'unknown'}`,
    })
  }
  return { kind: 'certificate', id, role, serial, der: certificate.der, ...(isLate && { isLate }) }
}
