import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { clientTlsOptions } from '@fleetroot/tls-config'
import { expect, test } from 'vitest'
import { type LiveBroker, startLiveBroker, type Transport } from '../testing/live-broker.ts'

async function tcp(live: LiveBroker, transport: Transport): Promise<Socket> {
  const socket = connectTcp(live.broker.ports[transport], '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function tls(live: LiveBroker, transport: Transport): Promise<Socket> {
  const identity = await live.issue('device', 'x')
  const options = {
    ...clientTlsOptions({ trust: [live.authority.root.pem], identity, mode: 'compatible' }),
    host: '127.0.0.1',
    port: live.broker.ports[transport],
    allowHalfOpen: true,
  }
  const socket = connectTls(options)
  await once(socket, 'secureConnect')
  return socket
}

async function upgrade(live: LiveBroker, path: string): Promise<Socket> {
  const socket = await tls(live, 'wss')
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: ${'x'.repeat(22)}==\r\n\r\n`,
  )
  await once(socket, 'readable')
  return socket
}

test.each<[string, (live: LiveBroker) => Promise<Socket>]>([
  ['that never begins its handshake on mqtts', (live) => tcp(live, 'mqtts')],
  ['that never begins its handshake on wss', (live) => tcp(live, 'wss')],
  ['that never sends its CONNECT', (live) => tls(live, 'mqtts')],
  ['that never sends its HTTP request', (live) => tls(live, 'wss')],
  ['whose upgrade was refused and that keeps its side open', (live) => upgrade(live, '/other')],
  ['that was upgraded and says no more', (live) => upgrade(live, '/mqtt')],
])('a connection %s does not keep the broker from closing', async (_what, open) => {
  const live = await startLiveBroker()
  const socket = await open(live)
  socket.on('error', () => undefined)
  const closing = performance.now()
  try {
    await live.close()
  } finally {
    socket.destroy()
  }
  // Not because the broker has given up on a handshake or a request by itself, which it does after 10 s.
  expect(performance.now() - closing).toBeLessThan(9_000)
  expect(live.broker.counts.admitted).toBe(0)
})

test.each<Transport>(['mqtts', 'wss'])(
  'a stop turns away who knocks on %s from then on, while those who are in are served until their turn comes',
  async (transport) => {
    const live = await startLiveBroker()
    const clients = []
    for (let index = 0; index < 20; index++)
      clients.push(await live.join('device', `d-${index}`, { transport }))
    const closing = live.broker.close()
    expect(live.broker.sessions.size).toBeGreaterThan(0)
    await expect(tcp(live, transport)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await closing
    await Promise.all(clients.map(({ closed }) => closed))
    expect(live.broker.counts.ended.get('shutdown')).toBe(20)
  },
)
