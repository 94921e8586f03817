import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enrolled } from '../testing/enroll.ts'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

const stateOf = async (id: string): Promise<unknown> =>
  ((await session.operator.call('GET', `/v1/devices/${id}`)).body as { state: string }).state

describe('device add', () => {
  test('registers a device with its labels, and says what comes next', async () => {
    const ran = await session.run(['device', 'add', 'pump-1', '--label', 'site=north', '--label', 'note=a=b'])
    expect(ran).toMatchObject({ status: 0, stderr: 'next, a token for it: fleetctl token create pump-1\n' })
    expect(ran.stdout).toMatch(
      /^id\tpump-1\nstate\tregistered\nprofile\tdevice\nlabels\tsite=north note=a=b\n/,
    )
  })

  test('registers a service with its names', async () => {
    const { json } = await session.run(
      'device add gateway --profile service --dns gw.example --dns gw2.example --ip 192.0.2.1 --json'.split(
        ' ',
      ),
    )
    expect(json()).toMatchObject({
      id: 'gateway',
      profile: 'service',
      dns: ['gw.example', 'gw2.example'],
      ip: ['192.0.2.1'],
      state: 'registered',
    })
  })

  test('of a profile that the server does not have is refused by the server, which lists those it has', async () => {
    expect(await session.run(['device', 'add', 'x', '--profile', 'divice'])).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('body.profile: must be device, service or broker') as string,
    })
  })

  test('passes on why the server refuses, with its code, and ends with 3', async () => {
    await session.run(['device', 'add', 'twice'])
    expect(await session.run(['device', 'add', 'twice'])).toEqual(
      expect.objectContaining({
        status: 3,
        stdout: '',
        stderr: 'fleetctl: cannot register twice: id: twice is in the inventory (device-exists)\n',
      }),
    )
    const { status, stdout, json } = await session.run(['device', 'add', 'twice', '--json'])
    expect([status, stdout]).toEqual([3, ''])
    expect(json()).toEqual({
      error: {
        code: 'device-exists',
        message: 'cannot register twice: id: twice is in the inventory (device-exists)',
        exitStatus: 3,
        status: 409,
      },
    })
  })

  test.each([
    [['device', 'add', '../x'], /ID: "\.\.\/x" is no device id/],
    [['device', 'add', 'x', '--label', 'north'], /--label: "north" must be KEY=VALUE/],
    [['device', 'add'], /ID is missing; usage: fleetctl device add ID/],
    [['device', 'add', 'x', 'y'], /"y" is one word too many/],
  ])('%j is wrong usage, told before anything is sent', async (argv, message) => {
    expect(await session.run(argv)).toMatchObject({ status: 2, stderr: expect.stringMatching(message) })
  })
})

describe('device list', () => {
  test('has a heading on a terminal and tabs in a pipe', async () => {
    await session.run(['device', 'add', 'listed'])
    const shown = await session.run(['device', 'list'], { isTerminal: true })
    expect(shown.stdout).toMatch(/^ID +STATE +PROFILE +CERTIFICATE +VALID UNTIL +LABELS\n/)
    expect(shown.stdout).toMatch(/^listed +registered +device +- +- +-$/m)
    const piped = await session.run(['device', 'list'])
    expect(piped.stdout).not.toContain('STATE')
    expect(piped.stdout).toContain('listed\tregistered\tdevice\t-\t-\t-\n')
  })

  test('reads all pages, up to the limit, and says when there are more', async () => {
    for (let n = 0; n < 5; n++) await session.run(['device', 'add', `paged-${n}`])
    const all = (await session.run(['device', 'list', '--limit', '0', '--json'])).json()
    const ids = (all as { items: { id: string }[] }).items.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['paged-0', 'paged-4']))
    const some = await session.run(['device', 'list', '--limit', '2'])
    expect(some.stdout.split('\n')).toHaveLength(3)
    expect(some.stderr).toBe('there are more: --limit 0 shows all\n')
    expect((await session.run(['device', 'list', '--limit', '2', '--json'])).json()).toMatchObject({
      more: true,
    })
  })

  test('shows devices, and services, the operator and claims where they are asked for', async () => {
    await session.run(['device', 'add', 'gateway-1', '--profile', 'service', '--dns', 'gateway-1.example'])
    const out = session.file('line-1')
    await session.run(['claim', 'create', 'line-1', '--batch', 'b', '--quota', '1', '--out', out])
    const listed = async (...flags: string[]) => {
      const { stdout } = await session.run(['device', 'list', ...flags])
      return stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('\t'))
    }
    const profilesOf = (rows: string[][]) => new Set(rows.map(([, , profile]) => profile))
    expect(profilesOf(await listed())).toEqual(new Set(['device']))
    expect(profilesOf(await listed('--role', 'service'))).toEqual(new Set(['service', 'broker']))
    expect(profilesOf(await listed('--profile', 'broker'))).toEqual(new Set(['broker']))
    expect((await listed('--role', 'claim')).map(([id]) => id)).toEqual(['line-1'])
    expect((await listed('--role', 'operator')).map(([id]) => id)).toEqual(['operator'])
    expect(await listed('--role', 'device', '--profile', 'service')).toEqual([])
    const all = (await listed('--all')).map(([id]) => id)
    expect(all).toEqual(expect.arrayContaining(['broker', 'gateway-1', 'line-1', 'operator', 'paged-0']))
    expect(await session.run(['device', 'list', '--role', 'root'])).toMatchObject({ status: 2 })
  })

  test('shows one state only, and an empty list as such', async () => {
    const none = await session.run(['device', 'list', '--state', 'retired'], { isTerminal: true })
    expect(none.stdout).toBe('no devices\n')
    expect((await session.run(['device', 'list', '--state', 'retired', '--json'])).json()).toEqual({
      items: [],
      more: false,
    })
  })
})

describe('device get', () => {
  test('shows the certificate too', async () => {
    const serial = await enrolled(session, 'shown')
    const { stdout } = await session.run(['device', 'get', 'shown'])
    expect(stdout).toContain(`certificate\t${serial}\n`)
  })

  test('of one that is not there ends with 3', async () => {
    expect(await session.run(['device', 'get', 'ghost'])).toMatchObject({
      status: 3,
      stderr: 'fleetctl: cannot show ghost: id: ghost is not registered (device-unknown)\n',
    })
  })
})

describe('a change of a device', () => {
  test('suspend and resume ask nothing', async () => {
    await enrolled(session, 'braked')
    expect(await session.run(['device', 'suspend', 'braked'])).toMatchObject({ status: 0, stderr: '' })
    expect(await stateOf('braked')).toBe('suspended')
    expect(await session.run(['device', 'resume', 'braked'])).toMatchObject({ status: 0 })
    expect(await stateOf('braked')).toBe('enrolled')
  })

  test('that is for good is not made in a script without --yes', async () => {
    await session.run(['device', 'add', 'kept'])
    for (const verb of ['retire', 'revoke']) {
      const ran = await session.run(['device', verb, 'kept'])
      expect(ran).toMatchObject({ status: 2, stderr: expect.stringContaining('Not without --yes') })
    }
    expect(await stateOf('kept')).toBe('registered')
  })

  test('is asked for on a terminal, and not made unless the answer is yes', async () => {
    await session.run(['device', 'add', 'asked'])
    for (const answers of [['n'], [''], ['nonsense'], []]) {
      const ran = await session.run(['device', 'retire', 'asked'], { isTerminal: true, answers })
      expect(ran).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/\[y\/N\] fleetctl: not confirmed/),
      })
    }
    expect(await stateOf('asked')).toBe('registered')
    await session.run(['device', 'retire', 'asked'], { isTerminal: true, answers: ['y'] })
    expect(await stateOf('asked')).toBe('retired')
  })

  test('revokes its certificates with the reason that was given', async () => {
    const serial = await enrolled(session, 'stolen')
    const ran = await session.run('device revoke stolen --reason keyCompromise --yes --json'.split(' '))
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    expect(ran.json()).toEqual({
      revoked: 1,
      failed: 0,
      results: [{ deviceId: 'stolen', status: 'revoked' }],
    })
    const { body } = await session.operator.call('GET', `/v1/certificates/${serial}`)
    expect(body).toMatchObject({ status: 'revoked', revocation: { reason: 'keyCompromise' } })
    expect((await session.run(['device', 'get', 'stolen'])).stdout).toMatch(/^status\trevoked$/m)
    const again = await session.run('device revoke stolen --yes'.split(' '))
    expect(again).toMatchObject({ status: 0, stdout: 'stolen\tunchanged\t-\n' })
    expect((await session.run('device revoke ghost --yes'.split(' '))).status).toBe(3)
  })

  test('revokes many, each answered for', async () => {
    const serials = [await enrolled(session, 'lorry-1'), await enrolled(session, 'lorry-2')]
    const ran = await session.run('device revoke --from - ghost --yes'.split(' '), {
      input: 'lorry-1\nlorry-2\n',
    })
    expect(ran).toMatchObject({ status: 1, stderr: '1 of 3 are not revoked\n' })
    expect(ran.stdout).toBe('ghost\trefused\tdevice-unknown\nlorry-1\trevoked\t-\nlorry-2\trevoked\t-\n')
    for (const serial of serials) {
      const { body } = await session.operator.call('GET', `/v1/certificates/${serial}`)
      expect(body).toMatchObject({ status: 'revoked' })
    }
    expect((await session.run(['device', 'revoke', '--yes'])).stderr).toContain('ID is missing')
  })
})

describe('token create', () => {
  test('prints the token and nothing else on stdout', async () => {
    await session.run(['device', 'add', 'tokened'])
    const ran = await session.run(['token', 'create', 'tokened', '--expires', '15m'])
    expect(ran.stdout).toMatch(/^[\w-]{43}\n$/)
    expect(ran.stderr).toMatch(/^for tokened, once, until 20/)
  })

  test('says in JSON until when', async () => {
    const before = Date.now()
    const { json } = await session.run('token create tokened --expires 1h30m --json'.split(' '))
    const { deviceId, expiresAt } = json() as { deviceId: string; expiresAt: string }
    expect(deviceId).toBe('tokened')
    const minutes = (Date.parse(expiresAt) - before) / 60_000
    expect(minutes).toBeGreaterThan(89)
    expect(minutes).toBeLessThan(100)
  })

  test('refuses a duration without a unit', async () => {
    expect(await session.run(['token', 'create', 'tokened', '--expires', '15'])).toMatchObject({
      status: 2,
      stderr: 'fleetctl: --expires: "15" has no unit; write 15s for seconds or 15ms\n',
    })
  })
})
