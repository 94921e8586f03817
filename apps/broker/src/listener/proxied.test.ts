import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { clientTlsOptions } from '@fleetroot/tls-config'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { expectSoon } from '../testing/followed-broker.ts'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import { WireClient } from '../testing/wire-client.ts'
import { readProxies, type TrustedProxies } from './proxied.ts'

let live: LiveBroker
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await live.close()
})

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A header as a proxy makes it; `source` is the client's address in bytes. */
function header(
  source: number[],
  { command = 0x21, family = source.length === 4 ? 0x11 : 0x21, tlv = 0 } = {},
): Buffer {
  const addresses = Buffer.concat([
    Buffer.from(source),
    Buffer.alloc(source.length),
    Buffer.alloc(4),
    Buffer.alloc(tlv),
  ])
  const fixed = Buffer.of(command, family, addresses.length >> 8, addresses.length & 0xff)
  return Buffer.concat([signature, fixed, addresses])
}

function trust(...networks: string[]): { proxies: TrustedProxies } {
  const proxies = readProxies(networks)
  if ('fault' in proxies) throw new Error(proxies.fault)
  return { proxies }
}

/** A connection from `from` that begins with `first`, in one piece or byte by byte. */
async function dial(
  first: Buffer,
  { from = '127.0.0.1', isSlow = false, port = live.broker.ports.mqtts } = {},
): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port, localAddress: from, noDelay: true })
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  if (isSlow) {
    for (const byte of first) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve))
  } else if (first.length > 0) socket.write(first)
  return socket
}

/** An MQTT client over such a connection. */
async function join(id: string, socket: Socket): Promise<WireClient> {
  const identity = await live.issue('device', id)
  const options = clientTlsOptions({
    trust: [live.authority.root.pem],
    identity,
    mode: 'compatible',
    serverName: 'localhost',
  })
  const tls = connect({ ...options, socket })
  const client = new WireClient(tls)
  await once(tls, 'secureConnect')
  const { returnCode } = await client.connect({ clientId: id })
  expect(returnCode).toBe(0)
  return client
}

const closed = (socket: Socket): Promise<unknown> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', resolve))

describe('behind a trusted proxy', () => {
  test.each([
    ['IPv4', [192, 0, 2, 7], '192.0.2.7'],
    ['IPv6', [0x20, 0x01, 0x0d, 0xb8, ...Array.from({ length: 11 }, () => 0), 7], '2001:db8:0:0:0:0:0:7'],
    ['IPv4 in IPv6', [...Array.from({ length: 10 }, () => 0), 0xff, 0xff, 192, 0, 2, 7], '192.0.2.7'],
  ])('a client has its own %s address, in the log, too', async (_family, source, address) => {
    live = await startLiveBroker({}, trust('127.0.0.1'))
    const client = await join('eve', await dial(header(source)))
    await client.ping()
    expect(live.log.filter((line) => line.includes('certificate admitted')).at(-1)).toContain(
      `"address":"${address}"`,
    )
  })

  test('a header may come in pieces, with more in it than addresses, or say that the proxy itself is asking', async () => {
    live = await startLiveBroker({}, trust('127.0.0.0/8'))
    await (await join('a', await dial(header([192, 0, 2, 7]), { isSlow: true }))).ping()
    await (await join('b', await dial(header([192, 0, 2, 7], { tlv: 300 })))).ping()
    await (await join('c', await dial(header([], { command: 0x20, family: 0 })))).ping()
    expect(live.broker.counts.admitted).toBe(3)
  })

  test('header and TLS may come in one piece', async () => {
    live = await startLiveBroker({}, trust('127.0.0.1'))
    const socket = await dial(Buffer.alloc(0))
    socket.cork()
    socket.write(header([192, 0, 2, 7]))
    const joined = join('eve', socket)
    setImmediate(() => socket.uncork())
    await (await joined).ping()
    expect(live.broker.counts.admitted).toBe(1)
  })

  test('the guards count the client and not the proxy', async () => {
    live = await startLiveBroker({ acceptRatePerAddress: { perSecond: 0.001, burst: 3 } }, trust('127.0.0.1'))
    const flood = await Promise.all(Array.from({ length: 5 }, () => dial(header([192, 0, 2, 66]))))
    await expectSoon(() => live.broker.counts.refused.get('accept-rate-address') === 2)
    await expectSoon(() => flood.filter(({ destroyed }) => destroyed).length === 2)
    await (await join('eve', await dial(header([192, 0, 2, 7])))).ping()
  })

  test('a client over WebSocket has its own address, too', async () => {
    live = await startLiveBroker({}, trust('127.0.0.1'))
    const identity = await live.issue('device', 'eve')
    const socket = await dial(header([192, 0, 2, 7]), { port: live.broker.ports.wss })
    const options = clientTlsOptions({
      trust: [live.authority.root.pem],
      identity,
      mode: 'compatible',
      serverName: 'localhost',
    })
    const tls = connect({ ...options, socket })
    await once(tls, 'secureConnect')
    const webSocket = new WebSocket('ws://localhost/mqtt', ['mqtt'], { createConnection: () => tls })
    await once(webSocket, 'open')
    webSocket.terminate()
    expect(live.log.filter((line) => line.includes('certificate admitted')).at(-1)).toContain(
      '"address":"192.0.2.7"',
    )
  })

  test.each([
    ['no header', Buffer.from('160301', 'hex')],
    ['version 1', Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n')],
    ['another version', header([192, 0, 2, 7], { command: 0x31 })],
    ['an unknown command', header([192, 0, 2, 7], { command: 0x22 })],
    ['UDP', header([192, 0, 2, 7], { family: 0x12 })],
    ['a UNIX socket', header([192, 0, 2, 7], { family: 0x31 })],
    ['no room for its addresses', header([192, 0], { family: 0x11 })],
    ['64 KiB', Buffer.concat([signature, Buffer.of(0x21, 0x11, 0xff, 0xff)])],
  ])('a connection with %s is refused', async (_what, first) => {
    live = await startLiveBroker({ handshakeTimeoutMs: 500 }, trust('127.0.0.1'))
    await closed(await dial(first))
    await expectSoon(() => live.broker.counts.handshakes === 0)
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'proxy-header': 1 })
  })

  test('a connection that says nothing is refused when its time is over', async () => {
    live = await startLiveBroker({ handshakeTimeoutMs: 200 }, trust('127.0.0.1'))
    const sockets = await Promise.all([dial(Buffer.alloc(0)), dial(signature)])
    await Promise.all(sockets.map(closed))
    await expectSoon(() => live.broker.counts.refused.get('proxy-header') === 2)
    await expectSoon(() => live.broker.counts.handshakes === 0)
    expect(live.broker.counts.tls.size).toBe(0)
  })
})

describe('a PROXY header from elsewhere', () => {
  test('is refused, and no address is believed', async () => {
    live = await startLiveBroker({}, trust('192.0.2.0/24', '2001:db8::/32'))
    await closed(await dial(header([10, 0, 0, 1])))
    expect(live.log.join('')).not.toContain('10.0.0.1')
    expect([...live.broker.counts.refused.keys()]).not.toContain('proxy-header')
    await (await join('eve', await dial(Buffer.alloc(0), { from: '127.0.0.2' }))).ping()
  })

  test('is refused where nobody is trusted', async () => {
    live = await startLiveBroker()
    await closed(await dial(header([10, 0, 0, 1])))
    expect(live.broker.counts.admitted).toBe(0)
    expect(live.log.join('')).not.toContain('10.0.0.1')
  })
})

test.each(['localhost', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/', '10.0.0.0/8/8', '::/129', ''])(
  '%j is no network',
  async (network) => {
    live = await startLiveBroker()
    expect(readProxies([network])).toEqual({
      fault: expect.stringContaining(`"${network}" is not an address`),
    })
  },
)
