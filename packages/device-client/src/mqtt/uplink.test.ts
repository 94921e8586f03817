import { describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import { createAuthority } from '../testing/authority.ts'
import { brokerTls } from './tls-socket.ts'
import { Uplink, type UplinkOptions } from './uplink.ts'

async function uplinkThat(options: Pick<UplinkOptions, 'open'> & Partial<UplinkOptions>): Promise<Uplink> {
  const authority = await createAuthority()
  const { trust } = authority
  const identity = await authority.device('dev-1')
  return new Uplink({
    tls: brokerTls({ trust, identity, mode: 'compatible' }),
    backoff: () => 3_600_000,
    retryFirst: true,
    handshake: () =>
      Promise.reject(new DeviceClientError('network-failed', 'there is nobody to try it with')),
    onSession: () => undefined,
    onLost: () => undefined,
    onOffline: () => undefined,
    ...options,
  })
}

describe('an error that nobody foresaw', () => {
  it('in the first attempt ends the start, however patient it is, and says what it was', async () => {
    const cause = new TypeError('no such field')
    const uplink = await uplinkThat({ open: () => Promise.reject(cause) })
    await expect(uplink.start(undefined)).rejects.toMatchObject({
      code: 'unforeseen',
      message: 'the connection failed in a way that nobody foresaw (no such field): this is a bug',
      cause,
    })
    await uplink.stop()
  })

  it('in what is told of an attempt ends the start too', async () => {
    const uplink = await uplinkThat({
      open: () => Promise.reject(new DeviceClientError('network-failed', 'nothing listens')),
      onOffline: () => {
        throw new TypeError('no such field')
      },
    })
    await expect(uplink.start(undefined)).rejects.toThrow('no such field')
    expect(uplink.stopped).toBe(true)
    await uplink.stop()
  })
})
