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

// Well below the 10 s after which the broker gives up on a handshake or a request by itself.
test.each<[string, (live: LiveBroker) => Promise<Socket>]>([
  ['that never begins its handshake on mqtts', (live) => tcp(live, 'mqtts')],
  ['that never begins its handshake on wss', (live) => tcp(live, 'wss')],
  ['that never sends its CONNECT', (live) => tls(live, 'mqtts')],
  ['that never sends its HTTP request', (live) => tls(live, 'wss')],
  ['whose upgrade was refused and that keeps its side open', (live) => upgrade(live, '/other')],
  ['that was upgraded and says no more', (live) => upgrade(live, '/mqtt')],
])('a connection %s does not keep the broker from closing', { timeout: 8_000 }, async (_what, open) => {
  const live = await startLiveBroker()
  const socket = await open(live)
  socket.on('error', () => undefined)
  try {
    await live.close()
  } finally {
    socket.destroy()
  }
  expect(live.broker.counts.admitted).toBe(0)
})
