import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { python } from '../programs.ts'
import { run, succeed } from '../run.ts'

/** One role that may use any client id and any topic, as public test suites expect of a broker. */
const policy = `version: 1
roles:
  service:
    clientIds: any
    publish: ['#']
    subscribe: ['#']
`

const paho = join(import.meta.dirname, 'behaviours.py')
/** The functions of the script that stand for a behaviour: those with a sentence and without an argument. */
const behaviours = [...readFileSync(paho, 'utf8').matchAll(/^def (\w+)\(\):\n {4}"""(.+)"""$/gm)]

judgedBy(['paho-mqtt', 'mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr'], 'MQTT 3.1.1', () => {
  let fleet: Fleet
  let files: { ca: string; cert: string; key: string }

  beforeAll(async () => {
    fleet = await startFleet({ broker: true, policy, brokerArgs: ['--connect-burst=1000'] })
    const token = await fleet.admin.token('suite', { profile: 'service' })
    const { privateKey } = generateKeyPair('P-256')
    const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: 'suite' }))
    const { body } = await fleet.admin.call(
      'POST',
      '/v1/enrollments',
      { csr },
      { authorization: `Bearer ${token}` },
    )
    const { certificate, chain } = body as { certificate: string; chain: string[] }
    files = { ca: fleet.root, cert: fleet.file('suite.crt'), key: fleet.file('suite.key') }
    writeFileSync(files.cert, [certificate, ...chain].join(''))
    writeFileSync(files.key, exportPrivateKey(privateKey))
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  describe('as Paho’s Python client meets it', () => {
    test('is asked for all that public suites ask for', () => {
      const names = behaviours.map(([, name]) => name)
      expect(names).toEqual(
        expect.arrayContaining([
          'basic',
          'retained',
          'offline_queueing',
          'will',
          'overlapping_subscriptions',
          'keepalive',
          'redelivery',
          'zero_length_client_id',
          'subscribe_failure',
          'dollar_topics',
          'unsubscribe',
        ]),
      )
    })

    test.each(behaviours.map(([, name, sentence]) => [name!, sentence!]))('%s: %s', async (name) => {
      const { status, text } = await run(python, [
        paho,
        name,
        fleet.broker.port,
        files.ca,
        files.cert,
        files.key,
      ])
      expect(status, text).toBe(0)
    })
  })

  describe('as mosquitto’s clients meet it', () => {
    const as = (id: string): string[] => [
      '-h',
      'localhost',
      '-p',
      fleet.broker.port,
      '-i',
      id,
      '--cafile',
      files.ca,
      '--cert',
      files.cert,
      '--key',
      files.key,
    ]
    const publish = (topic: string, ...more: string[]): ReturnType<typeof run> =>
      succeed('mosquitto_pub', [...as('publisher'), '-t', topic, '-q', '1', ...more])

    /** A running client whose subscription is granted. */
    async function listen(
      program: string,
      ...args: string[]
    ): Promise<{ child: ChildProcess; lines: string[]; ended: Promise<unknown> }> {
      const child = spawn('stdbuf', ['-oL', program, ...args, '-d'])
      const lines: string[] = []
      const ended = once(child, 'close')
      await new Promise<void>((resolve, reject) => {
        for (const stream of [child.stdout, child.stderr]) {
          createInterface({ input: stream }).on('line', (line) => {
            lines.push(line)
            if (line.includes('Subscribed (mid: 1)')) resolve()
          })
        }
        void ended.then(() => reject(new Error(lines.join('\n'))))
      })
      return { child, lines, ended }
    }

    test('a retained message comes to who subscribes later, until it is cleared', async () => {
      await publish('mosquitto/retained', '-m', 'kept', '-r')
      const { stdout } = await succeed('mosquitto_sub', [
        ...as('late'),
        '-t',
        'mosquitto/#',
        '-C',
        '1',
        '-W',
        '20',
        '-F',
        '%r %t %p',
      ])
      expect(stdout.toString()).toBe('1 mosquitto/retained kept\n')
      await publish('mosquitto/retained', '-n', '-r')
      const none = await run('mosquitto_sub', [
        ...as('late'),
        '-t',
        'mosquitto/#',
        '--retained-only',
        '-W',
        '2',
        '-F',
        '%t',
      ])
      expect(none.stdout.toString()).toBe('')
    })

    test('a stored session has what came while it was away', async () => {
      const away = [...as('away'), '-c', '-q', '1', '-t', 'mosquitto/queue']
      await run('mosquitto_sub', [...away, '-E'])
      for (const n of ['1', '2', '3']) await publish('mosquitto/queue', '-m', n)
      const { stdout } = await succeed('mosquitto_sub', [...away, '-C', '3', '-W', '20'])
      expect(stdout.toString()).toBe('1\n2\n3\n')
    })

    test('the will of a client that is killed comes to who waits for it', async () => {
      const watcher = await listen(
        'mosquitto_sub',
        ...as('watcher'),
        '-t',
        'mosquitto/will',
        '-C',
        '1',
        '-W',
        '20',
      )
      const will = ['--will-topic', 'mosquitto/will', '--will-payload', 'gone', '--will-qos', '1']
      const killed = await listen('mosquitto_sub', ...as('killed'), '-t', 'mosquitto/none', ...will)
      killed.child.kill('SIGKILL')
      await Promise.all([killed.ended, watcher.ended])
      expect(watcher.lines).toContain('gone')
    })

    test('a request finds its response', async () => {
      const topics = ['-V', 'mqttv311', '-t', 'mosquitto/request', '-e', 'mosquitto/response']
      const answering = await listen(
        'mosquitto_sub',
        ...as('answering'),
        '-t',
        'mosquitto/request',
        '-C',
        '1',
        '-W',
        '20',
      )
      const asking = run('mosquitto_rr', [
        ...as('asking'),
        ...topics,
        '-m',
        'question',
        '-W',
        '20',
        '-q',
        '1',
      ])
      await answering.ended
      expect(answering.lines).toContain('question')
      await publish('mosquitto/response', '-m', 'answer')
      expect((await asking).stdout.toString()).toBe('answer\n')
    })

    test('messages of 100 KiB arrive whole at each quality of service', async () => {
      const payload = fleet.file('payload')
      writeFileSync(payload, 'x'.repeat(100 * 1024))
      for (const qos of ['0', '1', '2']) {
        const listener = await listen(
          'mosquitto_sub',
          ...as('big'),
          '-t',
          'mosquitto/big',
          '-q',
          qos,
          '-C',
          '1',
          '-W',
          '20',
          '-F',
          'length %l',
        )
        await succeed('mosquitto_pub', [...as('publisher'), '-t', 'mosquitto/big', '-q', qos, '-f', payload])
        await listener.ended
        expect(listener.lines).toContain('length 102400')
      }
    })
  })
})
