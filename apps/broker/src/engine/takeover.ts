import type { Session } from './session.ts'

/**
 * Lets one connection after the other hold an MQTT session [MQTT-3.1.4-2]. aedes closes the older client as
 * well, but it deletes by client id when that close completes: of three connections at once, the first one's
 * end takes the registration of the third away and the second lives on unseen. Here each newcomer ends its
 * predecessor and waits until that is gone before aedes sees its CONNECT.
 */
export class Takeover {
  readonly #holders = new Map<string, Session>()

  /** Resolves when `session` is alone on `key`; its predecessor was ended. */
  async enter(session: Session, key: string): Promise<void> {
    const previous = this.#holders.get(key)
    this.#holders.set(key, session)
    if (previous === undefined) return
    previous.end('taken-over')
    await previous.gone
  }

  /** The connection that holds `key`, or waits for it. */
  holder(key: string): Session | undefined {
    return this.#holders.get(key)
  }

  /** To be called when `session` is gone. */
  leave(session: Session): void {
    if (session.key !== undefined && this.#holders.get(session.key) === session) {
      this.#holders.delete(session.key)
    }
  }
}
