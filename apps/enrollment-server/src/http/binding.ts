import type { TLSSocket } from 'node:tls'
import { channelBinding } from '@fleetroot/tls-config'
import type { FastifyRequest } from 'fastify'
import type { ConnectionBinding } from '../admission/linking.ts'

const kept = Symbol('the channel binding of this connection')

/**
 * The channel binding of the connection of a request, in base64 as a CSR has it (RFC 7030, section 3.5). That of TLS 1.3 is
 * the same for as long as the connection lives, and is exported once, which costs 8 µs.
 */
export function bindingOf(request: FastifyRequest): ConnectionBinding {
  const socket = request.raw.socket as TLSSocket & { [kept]?: ConnectionBinding }
  if (socket[kept]) return socket[kept]
  const binding = channelBinding(socket, 'server')
  if (binding.kind === 'none') return binding
  const { kind } = binding
  const value = { kind, value: binding.value.toString('base64') }
  if (kind === 'tls-exporter') socket[kept] = value
  return value
}
