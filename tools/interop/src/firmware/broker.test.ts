import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { temporaryFolder } from '@fleetroot/harness'
import { defaultProfiles } from '@fleetroot/pki'
import { issueLeaf, makeHierarchy, type TestLeaf } from '@fleetroot/pki/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Answer, run } from '../run.ts'
import { buildFirmware } from './build.ts'

// What the C example makes of packets that no broker of ours would send.

const trustDomain = 'fleetroot.local'
const folder = temporaryFolder()
const file = (name: string): string => join(folder.path, name)

judgedBy(['cc', 'make', 'libc', 'mbedtls'], 'the firmware in C, at a broker that', () => {
  let firmware: string
  let broker: TestLeaf
  beforeAll(async () => {
    const { root, devices, services } = await makeHierarchy()
    writeFileSync(file('root.crt'), root.certificate.pem)
    const profile = defaultProfiles.service
    broker = await issueLeaf(services, { id: 'broker', profile, trustDomain, dns: ['localhost'] })
    const { key, cert } = await issueLeaf(devices, { id: 'pump-7', trustDomain })
    mkdirSync(file('store'))
    writeFileSync(file('store/identity.pem'), `obtained ${Math.floor(Date.now() / 1000)}\n${key}${cert}`)
    firmware = await buildFirmware(file('build'), 'firmware-checked')
  })
  afterAll(() => folder[Symbol.dispose]())

  /** Publishes at a broker that answers CONNECT with `first` and PUBLISH with `second`, octet by octet if `slowly`. */
  async function publish(first: number[], second: number[] | undefined, slowly = false): Promise<Answer> {
    const send = async (socket: TLSSocket, octets: number[]): Promise<void> => {
      if (!slowly) return void socket.write(Buffer.from(octets))
      for (const octet of octets) await new Promise((sent) => socket.write(Buffer.of(octet), sent))
      return undefined
    }
    const server = createServer({
      key: broker.key,
      cert: broker.cert,
      requestCert: true,
      rejectUnauthorized: false,
    })
    server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined)
      socket.on('data', (packet: Buffer) => {
        if (packet[0] === 0x10) void send(socket, first)
        if (packet[0] !== 0x32) return
        if (second) void send(socket, second)
        else socket.end()
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const files = [`--root=${file('root.crt')}`, `--store=${file('store')}`]
    const answer = await run(firmware, [
      '--id=pump-7',
      `--broker=localhost:${port}`,
      '--attempts=1',
      ...files,
      'publish',
    ])
    server.close()
    return answer
  }

  const taken = [0x20, 2, 0, 0]
  const puback = [0x40, 2, 0, 1]
  const message = (flags: number, topic: string, ...rest: number[]): number[] => {
    const body = [topic.length >> 8, topic.length & 0xff, ...Buffer.from(topic), ...rest]
    return [0x30 | flags, body.length, ...body]
  }

  test.each<[what: string, packets: number[], slowly: boolean]>([
    ['acknowledges', puback, false],
    ['acknowledges octet by octet', puback, true],
    ['sends a message first', [...message(0, 'a', 1, 2, 3), ...puback], false],
    ['sends a message with QoS 1 and nothing in it first', [...message(2, 'a', 0, 9), ...puback], true],
    ['answers a ping that was not sent', [0xd0, 0, ...puback], false],
  ])('%s, publishes', async (_what, packets, slowly) => {
    const { status, text } = await publish(taken, packets, slowly)
    expect(text).toMatch(/^published/)
    expect(status, text).toBe(0)
  })

  test.each<[what: string, status: number, reason: RegExp, first: number[], second?: number[]]>([
    ['refuses the client id', 11, /refused \(CONNACK 2\): it does not allow this client id/, [0x20, 2, 0, 2]],
    ['is not there for a while', 7, /refused \(CONNACK 3\)/, [0x20, 2, 0, 3]],
    ['refuses for a reason of its own', 11, /refused \(CONNACK 200\): unknown reason/, [0x20, 2, 0, 200]],
    ['answers with something else', 9, /does not answer with CONNACK/, [0x40, 2, 0, 0]],
    ['answers with too long a CONNACK', 9, /does not answer with CONNACK/, [0x20, 3, 0, 0, 0]],
    [
      'answers with a packet that is too large',
      9,
      /packet that is too large/,
      [0x20, 0xff, 0xff, 0xff, 0x7f],
    ],
    [
      'answers with a length without end',
      9,
      /packet that is too large/,
      [0x20, 0xff, 0xff, 0xff, 0xff, 0xff],
    ],
    ['ends the connection', 4, /closed the connection/, taken],
    ['sends a message with QoS 2', 9, /message that cannot be read/, taken, message(4, 'a', 0, 1)],
    [
      'sends a topic that is longer than its packet',
      9,
      /message that cannot be read/,
      taken,
      [0x30, 3, 0xff, 0xff, 0x61],
    ],
    ['sends a message without a topic', 9, /message that cannot be read/, taken, [0x30, 1, 0]],
    [
      'sends a message with QoS 1 without an identifier',
      9,
      /message that cannot be read/,
      taken,
      message(2, 'a'),
    ],
    ['acknowledges what nobody subscribed', 9, /nobody asked for/, taken, [0x90, 2, 0, 1]],
    ['sends what only clients send', 9, /nobody asked for/, taken, [0xc0, 0]],
  ])('%s, ends with status %i', async (_what, status, reason, first, second) => {
    const answer = await publish(first, second)
    expect(answer.text).toMatch(reason)
    expect(answer.status, answer.text).toBe(status)
    expect(answer.text).not.toMatch(/Sanitizer|runtime error/)
  })
})
