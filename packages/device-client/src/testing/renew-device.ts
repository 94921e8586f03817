import { enrollDevice } from '../enrollment/enroll-device.ts'
import { renewalDue } from '../enrollment/lifetime.ts'
import { createEstClient } from '../est/client.ts'
import { openIdentityStore } from '../identity/store.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { connectMqtt } from '../mqtt/connect.ts'
import { createRenewals } from '../renewal/renewals.ts'

/** What a device needs to know. */
export interface DeviceOrders {
  estUrl: string
  mqttUrl: string
  trust: string[]
  directory: string
  id: string
  key: 'new' | 'same'
}

/**
 * A whole device: starts with what its store holds, connects, and lives until it has an identity that is not due
 * for renewal. Resolves with the identity that it is connected with then.
 */
export async function liveUntilRenewed(orders: DeviceOrders): Promise<StoredIdentity> {
  const { trust, id, key } = orders
  const est = createEstClient({ url: orders.estUrl, trust })
  const store = openIdentityStore(orders.directory)
  const { identity } = await enrollDevice({ id, est, store, whenDue: 'keep' })
  const connection = await connectMqtt({ url: orders.mqttUrl, trust, identity })
  const renewals = createRenewals({ random: () => 0 })
  try {
    if (new Date() < renewalDue(identity)) return identity
    return await new Promise((resolve, reject) => {
      const probe = async (staged: StoredIdentity) => connection.replaceIdentity(staged)
      renewals.keep({
        est,
        store,
        identity,
        key,
        probe,
        onRenewed: resolve,
        onFailure: reject,
        onExhausted: reject,
      })
    })
  } finally {
    await renewals.close()
    await connection.close()
    est.close()
  }
}
