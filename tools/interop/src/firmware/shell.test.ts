import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCertificates } from '@fleetroot/pki'
import { makeRoot } from '@fleetroot/pki/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { type Answer, run } from '../run.ts'

const script = join(import.meta.dirname, '../../../../examples/firmware-openssl.sh')

judgedBy(['curl', 'openssl', 'mosquitto_pub'], 'the firmware in a shell', () => {
  let fleet: Fleet
  beforeAll(async () => {
    fleet = await startFleet({ broker: true })
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  async function device(id: string, env: Record<string, string> = {}) {
    const token = fleet.file(`${id}.token`)
    writeFileSync(token, await fleet.admin.token(id))
    const store = fleet.file(id)
    const settings = {
      ID: id,
      ROOT: fleet.root,
      STORE: store,
      TOKEN_FILE: token,
      EST: `localhost:${fleet.enrollment.port}`,
      BROKER: `localhost:${fleet.broker.port}`,
      ATTEMPTS: '1',
      ...env,
    }
    const take = (...steps: string[]): Promise<Answer> => run('sh', [script, ...steps], { env: settings })
    return { store, take, read: () => readFileSync(join(store, 'identity.pem'), 'utf8') }
  }

  test('enrolls with a token, verifies what it has, publishes, renews with a new key, and publishes again', async () => {
    const { store, take, read } = await device('sh-1')
    const first = await take('enroll', 'verify', 'publish')
    expect(first.status, first.text).toBe(0)
    expect(readdirSync(store)).toEqual(['identity.pem'])
    expect(statSync(join(store, 'identity.pem')).mode & 0o777).toBe(0o600)
    const [before] = parseCertificates(read())
    const second = await take('enroll', 'renew', 'verify', 'publish')
    expect(second.status, second.text).toBe(0)
    const [after, issuer] = parseCertificates(read())
    expect(after?.publicKeyFingerprint).not.toBe(before?.publicKeyFingerprint)
    expect(after?.subject).toEqual(before?.subject)
    expect(issuer?.subject).toEqual(after?.issuer)
    expect(readdirSync(store)).toEqual(['identity.pem'])
  })

  test.each<[what: string, env: () => Record<string, string>, reason: RegExp]>([
    ['another root', () => ({ ROOT: fleet.file('other.crt') }), /cannot be reached, or is not trusted/],
    [
      'a trust domain that is not the server’s',
      () => ({ TRUST_DOMAIN: 'other.example' }),
      /is not the enrollment server/,
    ],
    [
      'a token that is none',
      () => ({ TOKEN_FILE: fleet.file('bad.token') }),
      /refused \(401\): token-invalid:/,
    ],
    ['no server', () => ({ EST: 'localhost:1' }), /cannot be reached/],
  ])('says what is wrong with %s, and keeps nothing but the key', async (what, env, reason) => {
    writeFileSync(fleet.file('other.crt'), (await makeRoot({ commonName: 'Other' })).certificate.pem)
    writeFileSync(fleet.file('bad.token'), 'A'.repeat(43))
    const { store, take } = await device(`sh-${what.length}`, env())
    const { status, text } = await take('enroll')
    expect(text).toMatch(reason)
    expect(status).toBe(1)
    expect(readdirSync(store)).toEqual(['pending.key'])
  })
})
