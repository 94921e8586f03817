import { once } from 'node:events'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { fullJitterBackoff } from '@fleetroot/device-client'
import type { CrowdOrders, Member, Refusal, Return } from './orders.ts'

/** For TLS, and again for CONNACK, as in `device-client`. */
const timeoutMs = 10_000
const backoff = fullJitterBackoff()

/** A device that connects when it is told to. */
export interface CrowdMember {
  /** Cuts its connection, if it has one, connects anew at once, and waits with full jitter after each refusal. */
  readonly comeBack: () => Promise<Return>
}

/**
 * The least that is a device on the wire: a full mutual-TLS handshake, no resumption, and CONNECT. Thousands of them fit
 * into one process, where `device-client` would cost the machine more than the broker that is measured.
 */
export function crowdMember({ host, port, ca }: CrowdOrders, member: Member): CrowdMember {
  const secureContext = createSecureContext({ ca, key: member.key, cert: member.cert })
  let socket: TLSSocket | undefined

  async function join(): Promise<void> {
    const way = { host, port, localAddress: member.localAddress }
    const opened = connect({ ...way, servername: 'localhost', secureContext })
    try {
      await settled(opened, 'secureConnect')
      opened.write(connectPacket(member.id))
      const connack = await settled(opened, 'data')
      if (connack[3] !== 0) throw Object.assign(new Error('refused'), { code: `CONNACK ${connack[3]}` })
      socket = opened
      // A connection that is cut ends with an error on this side.
      opened.on('error', () => undefined)
      opened.on('data', () => undefined)
    } catch (error) {
      opened.on('error', () => undefined)
      opened.destroy()
      throw error
    }
  }

  async function comeBack(): Promise<Return> {
    const refusals: Refusal[] = []
    const started = performance.now()
    socket?.destroy()
    for (let attempt = 0; ; attempt++) {
      try {
        await join()
        return { backMs: performance.now() - started, refusals }
      } catch (error) {
        const { code, message } = error as Error & { code?: string }
        refusals.push({ atMs: performance.now() - started, reason: code ?? message })
        await new Promise((resolve) => setTimeout(resolve, backoff(attempt)))
      }
    }
  }

  return { comeBack }
}

/** The first value of an event; rejects when the connection ends before, or after `timeoutMs`. */
async function settled(socket: TLSSocket, event: 'secureConnect' | 'data'): Promise<Buffer> {
  const stop = new AbortController()
  const deadline = setTimeout(() => socket.destroy(failure('ETIMEDOUT')), timeoutMs)
  const closed = once(socket, 'close', { signal: stop.signal }).then(() => Promise.reject(failure('closed')))
  try {
    const [value] = await Promise.race([once(socket, event, { signal: stop.signal }), closed])
    return value as Buffer
  } finally {
    clearTimeout(deadline)
    stop.abort()
    closed.catch(() => undefined)
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/** CONNECT, clean session, keep alive 600 s (MQTT 3.1.1 section 3.1). */
function connectPacket(id: string): Buffer {
  const name = Buffer.from(id)
  return Buffer.concat([
    Buffer.of(0x10, 12 + name.length, 0, 4),
    Buffer.from('MQTT'),
    Buffer.of(4, 2, 2, 88, 0, name.length),
    name,
  ])
}
