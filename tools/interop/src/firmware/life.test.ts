import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from '@fleetroot/harness'
import { parseCertificates } from '@fleetroot/pki'
import { makeRoot } from '@fleetroot/pki/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { succeed } from '../run.ts'
import { clockAt } from '../time/clock.ts'
import { buildFirmware } from './build.ts'
import { firmwareDevice } from './device.ts'

// The C example on mbedTLS, built to stop at the first memory error, leak or undefined behaviour.

judgedBy(
  ['cc', 'make', 'libc', 'mbedtls', 'mosquitto_sub', 'openssl', 'faketime'],
  'the firmware in C',
  () => {
    let fleet: Fleet
    let checked: string
    let plain: string
    beforeAll(async () => {
      fleet = await startFleet({ broker: true })
      // A sanitizer and a faked clock both want to be loaded first: there is a program for each.
      const builds = (['firmware-checked', 'firmware'] as const).map((build) =>
        buildFirmware(fleet.file('build'), build),
      )
      ;[checked = '', plain = ''] = await Promise.all(builds)
      const { certificate } = await makeRoot({ commonName: 'Fleetroot Root CA' })
      writeFileSync(file('other-root.crt'), certificate.pem)
      await enrollBackend()
    })
    afterAll(() => fleet[Symbol.asyncDispose]())

    async function enrollBackend(): Promise<void> {
      const token = await fleet.admin.token('backend', { profile: 'service' })
      await succeed('openssl', [
        'ecparam',
        '-name',
        'prime256v1',
        '-genkey',
        '-noout',
        '-out',
        file('backend.key'),
      ])
      const csr = await succeed('openssl', [
        'req',
        '-new',
        '-key',
        file('backend.key'),
        '-subj',
        '/CN=backend',
      ])
      const body = { csr: csr.stdout.toString() }
      const answer = await fleet.admin.call('POST', '/v1/enrollments', body, {
        authorization: `Bearer ${token}`,
      })
      const { certificate, chain } = answer.body as { certificate: string; chain: string[] }
      writeFileSync(file('backend.crt'), certificate + chain.join(''))
    }
    const file = (name: string): string => fleet.file(name)

    /** Sends a command as the backend and resolves to what comes back. */
    async function command(id: string, name: string, payload: string): Promise<string> {
      const topic = `devices/${id}/commands/${name}`
      const server = ['-h', 'localhost', '-p', fleet.broker.port, '--cafile', fleet.root]
      const identity = ['--cert', file('backend.crt'), '--key', file('backend.key')]
      const as = (client: string): string[] => [...server, ...identity, '-i', client, '-q', '1']
      const subscriber = ['mosquitto_sub', ...as('backend'), '-t', `${topic}/result`, '-C', '1', '-d', '-v']
      const answer = startProgram('mosquitto_sub', 'stdbuf', ['-oL', ...subscriber])
      await answer.waitFor(/Subscribed \(mid: 1\)/)
      await succeed('mosquitto_pub', [...as('backend.sender'), '-t', topic, '-m', payload])
      await answer.exited
      return new RegExp(`^${topic}/result (.*)$`, 'm').exec(answer.output())?.[1] ?? answer.output()
    }

    test('enrolls with a token, publishes, answers a command, renews with a new key, and connects with it', async () => {
      const device = await firmwareDevice(fleet, checked, 'c-1')
      const first = await device.run('enroll', 'publish')
      expect(first.text).toMatch(/^enrolled c-1, serial .*\npublished devices\/c-1\/telemetry\/uptime\n/)
      expect(first.status).toBe(0)
      expect(readdirSync(device.store)).toEqual(['identity.pem'])
      expect(statSync(join(device.store, 'identity.pem')).mode & 0o777).toBe(0o600)

      const listening = device.start('command')
      await listening.waitFor(/^listening$/m)
      const result = await command('c-1', 'read', '{"arguments":{"id":"inner"},"id":"order-1"}')
      expect(result).toMatch(/^\{"id":"order-1","ok":true,"result":\{"uptime":\d+\}\}$/)
      expect(await listening.exited).toEqual({ status: 0, signal: null })

      const [before] = parseCertificates(device.read('identity.pem'))
      const renewed = await device.run('renew', 'publish')
      expect(renewed.status, renewed.text).toBe(0)
      const [after, issuer] = parseCertificates(device.read('identity.pem'))
      expect(after?.subject).toEqual(before?.subject)
      expect(after?.publicKeyFingerprint).not.toBe(before?.publicKeyFingerprint)
      expect(issuer?.subject).toEqual(after?.issuer)
      expect(readdirSync(device.store)).toEqual(['identity.pem'])
      const { body } = await fleet.admin.call('GET', '/v1/devices/c-1')
      expect(body).toMatchObject({ certificate: { serial: after?.serial } })
    })

    test('asks with the same key when an answer was lost, and gets the same certificate', async () => {
      const device = await firmwareDevice(fleet, checked, 'c-2')
      expect((await device.run('enroll')).status).toBe(0)
      const identity = device.read('identity.pem')
      device.write(
        'pending.pem',
        identity.slice(identity.indexOf('-----'), identity.indexOf('-----BEGIN CERT')),
      )
      rmSync(join(device.store, 'identity.pem'))
      expect((await device.run('enroll')).status).toBe(0)
      const certificates = (text: string): string => text.slice(text.indexOf('-----'))
      expect(certificates(device.read('identity.pem'))).toBe(certificates(identity))
    })

    test('makes another key when the server refuses the one that it has', async () => {
      const other = await firmwareDevice(fleet, checked, 'c-7')
      const device = await firmwareDevice(fleet, checked, 'c-8')
      expect((await other.run('enroll')).status).toBe(0)
      const identity = other.read('identity.pem')
      mkdirSync(device.store)
      device.write(
        'pending.pem',
        identity.slice(identity.indexOf('-----'), identity.indexOf('-----BEGIN CERT')),
      )
      const refused = await device.run('enroll')
      expect(refused.text).toContain('refused (409): key-in-use:')
      expect(refused.status).toBe(6)
      expect((await device.run('enroll')).status).toBe(0)
    })

    test('keeps a renewed identity that it could not prove, and proves it at the next start', async () => {
      const device = await firmwareDevice(fleet, checked, 'c-3')
      await device.run('enroll')
      const before = device.read('identity.pem')
      const offline = await device.run('--broker=localhost:1', '--attempts=1', 'renew')
      expect(offline.status, offline.text).toBe(4)
      expect(device.read('identity.pem')).toBe(before)
      const staged = device.read('staged.pem')
      expect((await device.run('renew')).status).toBe(0)
      expect(device.read('identity.pem')).toBe(staged)
      expect(readdirSync(device.store)).toEqual(['identity.pem'])
    })

    test('runs: publishes, answers, renews while it is connected, and ends at SIGTERM', async () => {
      const device = await firmwareDevice(fleet, checked, 'c-4')
      await device.run('enroll')
      // As if it had been obtained in 1970: two thirds of its life are over.
      device.write('identity.pem', device.read('identity.pem').replace(/^obtained \d+/, 'obtained 0'))
      const running = device.start('--interval=1', 'run')
      await running.waitFor(/^renewed c-4/m)
      await running.waitFor(/^published/m, running.output().length)
      expect(await command('c-4', 'open', '{"id":"order-2"}')).toContain('"id":"order-2","ok":false')
      expect(await running.stop()).toEqual({ status: 0, signal: null })
      expect(running.output()).not.toContain('firmware:')
    })

    test('a board that wakes up in 2001 learns the time from the server that it has verified, and asks for dates from then on', async () => {
      const device = await firmwareDevice(fleet, plain, 'c-5', clockAt('@2001-01-01 00:00:00'))
      const enrolled = await device.run('enroll', 'publish')
      expect(enrolled.status, enrolled.text).toBe(0)
      // The next start has no clock again, and the broker is not the first that it asks.
      expect((await device.run('publish')).status).toBe(0)
      expect((await device.run('--est=localhost:1', '--attempts=1', 'publish')).status).toBe(4)
      // A time that has been is not believed: whoever has an old key of a server must not turn the clock back.
      const nextYear = Math.floor(Date.now() / 1000) + 366 * 86_400
      device.write(
        'identity.pem',
        device.read('identity.pem').replace(/^obtained \d+/, `obtained ${nextYear}`),
      )
      const turnedBack = await device.run('publish')
      expect(turnedBack.text).toContain('says a time that has been')
      expect(turnedBack.status).toBe(5)
    })

    const failures: [what: string, status: number, reason: RegExp, words: () => string[]][] = [
      ['an unknown option', 2, /--prot=1 is no option\nusage:/, () => ['--prot=1', 'enroll']],
      ['an unknown step', 2, /enrol is no step/, () => ['enrol']],
      ['an id that none can be', 2, /--id: 1 to 64 letters/, () => ['--id=../x', 'enroll']],
      ['a store that cannot be', 3, /\/dev\/null\/store/, () => ['--store=/dev/null/store', 'enroll']],
      [
        'a server that is not there',
        4,
        /cannot connect to localhost:1\n.*again in \d+ ms/,
        () => ['--est=localhost:1', '--attempts=2', 'enroll'],
      ],
      [
        'a root that is not that of the server',
        5,
        /is not trusted: The certificate is not correctly signed/,
        () => [`--root=${file('other-root.crt')}`, 'enroll'],
      ],
      [
        'a name that is not in the certificate',
        5,
        /127\.0\.0\.1:\d+ is not trusted: .*does not match with the expected CN/,
        () => [`--est=127.0.0.1:${fleet.enrollment.port}`, 'enroll'],
      ],
      [
        'a token that is none',
        6,
        /refused \(401\): token-invalid: /,
        () => [`--token-file=${file('bad.token')}`, 'enroll'],
      ],
      ['no identity', 12, /there is no identity: enroll first/, () => ['publish']],
    ]
    test.each(failures)('says what is wrong with %s, with status %i', async (what, status, reason, words) => {
      writeFileSync(file('bad.token'), `${'A'.repeat(43)}\n`)
      const device = await firmwareDevice(fleet, checked, what.replaceAll(' ', '-'))
      const answer = await device.run(...words())
      expect(answer.text).toMatch(reason)
      expect(answer.status).toBe(status)
    })

    test('a revoked device is cut off by the broker without a word, and told why when it asks to renew', async () => {
      const device = await firmwareDevice(fleet, checked, 'c-6')
      expect((await device.run('enroll')).status).toBe(0)
      await fleet.admin.call('POST', '/v1/devices/c-6/revoke', { reason: 'keyCompromise' })
      const publication = await device.run('--attempts=2', 'publish')
      expect(publication.text).toMatch(/closed the connection.*renew says more\n.*again in/)
      expect(publication.status).toBe(4)
      const renewal = await device.run('renew')
      expect(renewal.text).toContain('refused (403): certificate-inactive')
      expect(renewal.status).toBe(6)
    })
  },
)
