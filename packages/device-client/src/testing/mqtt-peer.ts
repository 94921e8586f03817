import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'

import { serverTlsOptions } from '@fleetroot/tls-config'
import { type IConnectPacket, type IPublishPacket, type Packet, parser, writeToStream } from 'mqtt-packet'
import { createWebSocketStream, WebSocketServer } from 'ws'

import type { Authority, Leaf } from './authority.ts'

/** What the peer does; tests change it at any time. */
export interface PeerScript {
  /** CONNACK return code; `silent` sends none. */
  connack: number | 'silent'
  sessionPresent: boolean
  /** Return code for a filter (MQTT 3.1.1 section 3.9.3). */
  suback: (filter: string) => number | 'drop'
  /** `drop` closes the connection instead of acknowledging. */
  puback: (packet: IPublishPacket) => 'send' | 'withhold' | 'drop'
}

/**
 * The other end of MQTT 3.1.1 over mutual TLS, scripted by the test: a protocol peer, not a broker. It routes
 * nothing and remembers what it received.
 */
export interface MqttPeer {
  url: string
  script: PeerScript
  /** Every packet of every connection, in order of arrival. */
  received: Packet[]
  /** Of every connection, in order: was the TLS session resumed, and the CN of the client. */
  handshakes: { resumed: boolean; serial: string }[]
  /** Connections that are open. */
  open: Set<Duplex>
  publishes(): IPublishPacket[]
  connects(): IConnectPacket[]
  /** Resolves when `condition` holds; looked at whenever something happens. */
  until(condition: () => boolean): Promise<void>
  /** Sends to all open connections. */
  send(packet: Packet): void
  /** Cuts all connections, without a word. */
  drop(): void
  /** Another certificate, and other trust in devices, for new connections. */
  setIdentity(identity: Leaf, trust?: string[]): void
  close(): Promise<void>
}

/** Listens on a free port, with MQTT over TLS, or over secure WebSocket at `/mqtt`. */
export async function startMqttPeer(
  authority: Authority,
  options: { identity?: Leaf; transport?: 'mqtts' | 'wss' } = {},
): Promise<MqttPeer> {
  const tlsOptions = (identity: Leaf, trust = authority.trust) =>
    serverTlsOptions({ identity, trust, mode: 'compatible', clientCertificate: 'required' })
  const tls = tlsOptions(options.identity ?? (await authority.server()))
  const waiting = new Set<() => void>()
  const transport = options.transport ?? 'mqtts'
  const server = transport === 'mqtts' ? createTlsServer(tls) : createHttpsServer(tls)
  const raw = new Set<TLSSocket>()

  server.on('secureConnection', (socket) => {
    raw.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => raw.delete(socket))
    const serial = socket.getPeerX509Certificate()?.serialNumber.toLowerCase() ?? ''
    peer.handshakes.push({ resumed: socket.isSessionReused(), serial })
    if (transport === 'mqtts') speak(socket)
  })
  if (transport === 'wss') {
    const sockets = new WebSocketServer({ server: server as HttpsServer, path: '/mqtt' })
    sockets.on('connection', (socket) => speak(createWebSocketStream(socket)))
  }
  await new Promise<void>((resolve) => (server as Server).listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  const peer: MqttPeer = {
    url: transport === 'mqtts' ? `mqtts://localhost:${port}` : `wss://localhost:${port}/mqtt`,
    script: { connack: 0, sessionPresent: false, suback: () => 1, puback: () => 'send' },
    received: [],
    handshakes: [],
    open: new Set(),
    publishes: () => peer.received.filter((packet) => packet.cmd === 'publish'),
    connects: () => peer.received.filter((packet) => packet.cmd === 'connect'),
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => waiting.add(resolve))
    },
    send(packet) {
      for (const stream of peer.open) writeToStream(packet, stream)
    },
    drop() {
      for (const socket of raw) socket.destroy()
    },
    setIdentity: (identity, trust) => server.setSecureContext(tlsOptions(identity, trust)),
    async close() {
      if (!server.listening) return
      const closed = new Promise((resolve) => server.close(resolve))
      peer.drop()
      await closed
    },
  }

  function speak(stream: Duplex): void {
    peer.open.add(stream)
    const packets = parser({ protocolVersion: 4 })
    packets.on('packet', (packet: Packet) => {
      peer.received.push(packet)
      answer(stream, packet)
      changed()
    })
    stream.on('data', (chunk: Buffer) => packets.parse(chunk))
    stream.on('error', () => undefined)
    stream.once('close', () => {
      peer.open.delete(stream)
      changed()
    })
  }

  function answer(stream: Duplex, packet: Packet): void {
    const { script } = peer
    const messageId = packet.messageId ?? 0
    if (packet.cmd === 'connect' && script.connack !== 'silent') {
      const { connack, sessionPresent } = script
      writeToStream({ cmd: 'connack', returnCode: connack, sessionPresent }, stream)
    }
    if (packet.cmd === 'subscribe') {
      const codes = packet.subscriptions.map(({ topic }) => script.suback(topic))
      if (codes.includes('drop')) stream.destroy()
      else writeToStream({ cmd: 'suback', messageId, granted: codes as number[] }, stream)
    }
    if (packet.cmd === 'unsubscribe') writeToStream({ cmd: 'unsuback', messageId, granted: [] }, stream)
    if (packet.cmd === 'publish' && packet.qos > 0) {
      const verdict = script.puback(packet)
      if (verdict === 'drop') stream.destroy()
      if (verdict === 'send') writeToStream({ cmd: 'puback', messageId }, stream)
    }
    if (packet.cmd === 'pingreq') writeToStream({ cmd: 'pingresp' }, stream)
    if (packet.cmd === 'disconnect') stream.end()
  }

  function changed(): void {
    const woken = [...waiting]
    waiting.clear()
    for (const wake of woken) wake()
  }

  return peer
}
