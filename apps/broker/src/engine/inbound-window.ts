/** A QoS 2 message as aedes hands it to its store. */
interface InboundMessage {
  readonly messageId?: number | undefined
}

/** The part of an aedes persistence (any of them) that keeps QoS 2 messages until their PUBREL. */
export interface InboundStore {
  incomingStorePacket(client: { readonly id: string }, packet: InboundMessage): Promise<unknown>
  incomingDelPacket(client: { readonly id: string }, packet: InboundMessage): Promise<unknown>
  cleanIncoming(client: { readonly id: string }): Promise<unknown>
}

/**
 * Bounds what the store keeps of QoS 2 messages that wait for their PUBREL. What aedes does on its own:
 *
 * - it counts them for each connection, while the store keeps them for the session: a client that reconnects again
 *   and again would fill all 65,535 packet identifiers. Here `maxInflight` is for the session, and a message
 *   beyond it ends the connection; the client can release what is open with PUBREL, or begin with a clean session;
 * - it stores whole messages, and asks later only whether one is there: they are published at once, before the
 *   PUBREL (MQTT 3.1.1 section 4.3.3, method B). Here only the packet identifier is kept.
 */
export function boundInbound(store: InboundStore, maxInflight: number): void {
  const incomingStorePacket = store.incomingStorePacket.bind(store)
  const incomingDelPacket = store.incomingDelPacket.bind(store)
  const cleanIncoming = store.cleanIncoming.bind(store)
  const open = new Map<string, Set<number | undefined>>()

  function release(key: string, messageId: number | undefined): void {
    const identifiers = open.get(key)
    if (identifiers?.delete(messageId) === true && identifiers.size === 0) open.delete(key)
  }

  store.incomingStorePacket = async (client, { messageId }) => {
    const identifiers = open.get(client.id) ?? new Set()
    if (!identifiers.has(messageId) && identifiers.size >= maxInflight) {
      throw new Error(`${maxInflight} QoS 2 messages of this session wait for their PUBREL already`)
    }
    open.set(client.id, identifiers.add(messageId))
    try {
      return await incomingStorePacket(client, identifierOnly(messageId))
    } catch (error) {
      release(client.id, messageId)
      throw error
    }
  }

  store.incomingDelPacket = async (client, packet) => {
    const result = await incomingDelPacket(client, packet)
    release(client.id, packet.messageId)
    return result
  }

  store.cleanIncoming = async (client) => {
    const result = await cleanIncoming(client)
    open.delete(client.id)
    return result
  }
}

const withoutContent = {
  cmd: 'publish',
  topic: '',
  payload: Buffer.alloc(0),
  qos: 2,
  retain: false,
  dup: false,
} as const

function identifierOnly(messageId: number | undefined): InboundMessage {
  return Object.assign({ messageId }, withoutContent)
}
