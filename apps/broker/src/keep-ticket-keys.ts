import type { AppContext } from '@fleetroot/service'
import { rotateTicketKeys, TicketKeys } from './listener/ticket-keys.ts'
import { redisAddress } from './redis/redis-setting.ts'
import { TicketRing } from './redis/ticket-ring.ts'
import type { RevocationView } from './revocation/revocation.ts'
import type { settings } from './settings.ts'

/**
 * The keys of the TLS session tickets, rotated until the process stops: those that all nodes share where there are Redis and
 * a secret that they share, otherwise keys of this node alone.
 */
export function keepTicketKeys(
  { config, logger, onStop }: Pick<AppContext<typeof settings>, 'config' | 'logger' | 'onStop'>,
  revocation: RevocationView,
): TicketKeys {
  const keys = new TicketKeys()
  const { ticketSecret: secret } = config
  const address = redisAddress(config)
  const isShared = address !== undefined && secret !== undefined
  const ring = isShared ? new TicketRing({ address, secret, keys, log: logger }) : undefined
  const rotation = rotateTicketKeys(revocation, () => (ring === undefined ? keys.use() : ring.rotate()))
  onStop('ticket keys', () => {
    rotation.close()
    ring?.close()
  })
  return keys
}
