import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import { authorize, parsePolicy, readDefaultPolicy, type Action } from '@fleetroot/policy'
import * as fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { fleetctl } from '../testing/session.ts'

const folder = temporaryFolder()
afterAll(() => folder[Symbol.dispose]())
const file = join(folder.path, 'policy.yaml')
writeFileSync(file, readDefaultPolicy())
const lineOf = (rule: string): number =>
  readDefaultPolicy()
    .split('\n')
    .findIndex((line) => line.includes(`'${rule}'`)) + 1

const explain = (...words: string[]) => fleetctl(['policy', 'explain', '--policy', file, ...words])

describe('policy explain', () => {
  test('says which rule allows, with file and line', async () => {
    const ran = await explain('--role', 'device', '--id', 'd1', 'publish', 'devices/d1/telemetry/x')
    const rule = 'devices/${id}/telemetry/#'
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    expect(ran.stdout).toBe(
      `allowed: device d1 publish devices/d1/telemetry/x\n  ${file}:${lineOf(rule)} allows it: ${rule}, under roles.device.publish\n`,
    )
  })

  test('says that nothing allows it, with the rules that were asked, and ends with 1', async () => {
    const ran = await explain('--role', 'device', '--id', 'd1', 'publish', 'devices/d2/x')
    expect(ran.status).toBe(1)
    expect(ran.stdout).toMatch(/^denied: device d1 publish devices\/d2\/x\n/)
    expect(ran.stdout).toContain(`    ${file}:${lineOf('devices/${id}/state')}  devices/\${id}/state\n`)
  })

  test('has a stable shape in JSON', async () => {
    const { json } = await explain('--role', 'device', '--id', 'd1', '--json', 'publish', 'devices/d1/state')
    const rule = 'devices/${id}/state'
    expect(json()).toMatchObject({
      allowed: true,
      action: 'publish',
      topic: 'devices/d1/state',
      role: 'device',
      id: 'd1',
      policy: file,
      rule: { text: rule, line: lineOf(rule) },
      reason: null,
    })
  })

  test('asks about retained messages, subscriptions, delivery and client ids', async () => {
    const words = ['--role', 'service', '--id', 'reader']
    expect((await explain(...words, 'publish', 'fleet/broadcast/x', '--retain')).stdout).toContain(
      'retain fleet/',
    )
    expect((await explain(...words, 'subscribe', 'devices/#')).status).toBe(0)
    expect((await explain(...words, 'receive', 'devices/d1/state')).status).toBe(0)
    expect((await explain(...words, 'connect', 'reader.2')).status).toBe(0)
    expect((await explain(...words, 'connect', 'other')).status).toBe(1)
  })

  test('goes by the policy in the data directory, and without one by what the broker would write there', async () => {
    const words = [
      'policy',
      'explain',
      '--role',
      'device',
      '--id',
      'd1',
      'publish',
      'devices/d1/state',
      '--json',
    ]
    const data = join(folder.path, 'data')
    const without = await fleetctl(words, { env: { FLEETROOT_DATA: data } })
    expect(without.json()).toMatchObject({ allowed: true, policy: 'default-policy.yaml' })
    mkdirSync(join(data, 'broker'), { recursive: true })
    writeFileSync(join(data, 'broker/policy.yaml'), 'version: 1\nroles: {}\n')
    const own = await fleetctl(words, { env: { FLEETROOT_DATA: data } })
    expect(own.json()).toMatchObject({ allowed: false, policy: join(data, 'broker/policy.yaml') })
  })

  test.each([
    [['publish', 'a'], /--role is missing/],
    [['--role', 'device', 'publish', 'a'], /--id is missing/],
    [['--role', 'device', '--id', 'a/b', 'publish', 'a'], /--id: "a\/b" is no device id/],
    [['--role', 'device', '--id', 'a', 'publsh', 'a'], /ACTION must be one of .*; did you mean publish\?/],
    [['--role', 'device', '--id', 'a', 'subscribe', 'a', '--retain'], /--retain goes with publish/],
  ])('of %j is wrong usage', async (words, message) => {
    expect(await explain(...words)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) })
  })

  test('always says what the broker decides', async () => {
    const policy = parsePolicy(readFileSync(file, 'utf8'), file)
    const level = fc.constantFrom(
      'devices',
      'd1',
      'd2',
      'telemetry',
      'commands',
      'fleet',
      'broadcast',
      '+',
      '#',
      '$SYS',
    )
    const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'))
    const role = fc.constantFrom('device', 'service', 'operator', 'claim')
    const action = fc.constantFrom<Action>('publish', 'subscribe', 'receive')
    await fc.assert(
      fc.asyncProperty(role, action, topic, async (role, action, topic) => {
        const subject = { id: 'd1', role, o: undefined, ou: undefined, serial: undefined }
        const verdict = authorize(policy, subject, action, topic)
        const { status, json } = await explain('--role', role, '--id', 'd1', '--json', action, topic)
        const { allowed, rule, reason } = json() as Record<string, unknown>
        expect(status).toBe(verdict.allowed ? 0 : 1)
        expect(allowed).toBe(verdict.allowed)
        if (verdict.allowed) expect(rule).toEqual({ text: verdict.rule, line: verdict.line })
        else expect(reason).toBe(verdict.reason)
      }),
      { numRuns: 200 },
    )
  })
})

describe('policy check', () => {
  test('counts the rules of a valid file', async () => {
    expect(await fleetctl(['policy', 'check', file])).toMatchObject({
      status: 0,
      stdout: `${file} is valid; rules: device (publish 4, subscribe 2), service (publish 2, subscribe 2), operator (publish 0, subscribe 3)\n`,
    })
  })

  test('tells every mistake with its line', async () => {
    const broken = join(folder.path, 'broken.yaml')
    writeFileSync(broken, "version: 1\nroles:\n  device:\n    clientIds: ['x']\n    publsh: []\n")
    const { status, stderr } = await fleetctl(['policy', 'check', broken])
    expect(status).toBe(1)
    expect(stderr).toContain(`the policy file ${broken} is not valid: `)
    expect(stderr).toContain('line 5: roles.device.publsh: unknown key')
  })
})
