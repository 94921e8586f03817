import type { TLSSocket } from 'node:tls'
import { channelBinding } from '@fleetroot/tls-config'
import type { FastifyRequest } from 'fastify'
import type { ConnectionBinding } from '../admission/linking.ts'

/** The channel binding of the connection of a request, in base64 as a CSR has it (RFC 7030, section 3.5). */
export function bindingOf(request: FastifyRequest): ConnectionBinding {
  const binding = channelBinding(request.raw.socket as TLSSocket, 'server')
  if (binding.kind === 'none') return binding
  return { kind: binding.kind, value: binding.value.toString('base64') }
}
