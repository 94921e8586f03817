import { DeviceClientError } from '@fleetroot/device-client'
import type { FollowedAuthorities } from '../authorities/followed.ts'
import { BrokerError } from '../error.ts'

/** The CAs that are followed, and whether it is known that there are others by now. */
export class FreshAuthorities {
  /** Other CAs are trusted than we know of: nothing counts as complete. */
  areOld = false
  readonly #authorities: Pick<FollowedAuthorities, 'refresh'>

  constructor(authorities: Pick<FollowedAuthorities, 'refresh'>) {
    this.#authorities = authorities
  }

  /** Asks for them. Undefined when they are those of now; otherwise why not. */
  async refresh(): Promise<BrokerError | undefined> {
    const wereOld = this.areOld
    this.areOld = false
    try {
      await this.#authorities.refresh()
      return undefined
    } catch (error) {
      this.areOld ||= wereOld
      if (error instanceof BrokerError) return error
      const reachable = error instanceof DeviceClientError && error.status !== undefined
      const code = reachable ? 'revocation-refused' : 'revocation-unreachable'
      const why = error instanceof Error ? error.message : String(error)
      return new BrokerError(code, `cannot fetch the CA bundle: ${why}`, { cause: error })
    }
  }
}
