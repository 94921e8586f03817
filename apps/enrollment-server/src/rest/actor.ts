import type { FastifyRequest } from 'fastify'
import type { Actor } from '../registry/records.ts'

/**
 * Who sends a request, for the audit.
 * @throws {Error} on a route that needs no certificate, which is a bug
 */
export function actorOf(request: FastifyRequest): Actor {
  const { credential } = request
  if (credential?.kind !== 'certificate') throw new Error('this route does not know who calls')
  const { id, role, serial } = credential
  if (role === 'claim') throw new Error('a claim does nothing that is audited here')
  return { kind: role, id, serial, address: request.ip }
}
