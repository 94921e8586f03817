import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { operator } from '@fleetroot/harness'
import { parseCertificates, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { buildFirmware } from './build.ts'
import { type FirmwareDevice, firmwareDevice } from './device.ts'

judgedBy(['cc', 'make', 'libc', 'mbedtls'], 'the firmware in C, while the root CA is replaced,', () => {
  let fleet: Fleet
  let device: FirmwareDevice
  /** Enrolled at the same time, and switched off until all is over. */
  let sleeper: FirmwareDevice
  let pin: string
  beforeAll(async () => {
    fleet = await startFleet({ broker: true })
    const firmware = await buildFirmware(fleet.file('build'), 'firmware-checked')
    device = await firmwareDevice(fleet, firmware, 'c-1')
    sleeper = await firmwareDevice(fleet, firmware, 'c-2')
    pin = fleet.file('pin.crt')
    writeFileSync(pin, readFileSync(fleet.root))
    for (const one of [device, sleeper]) await one.run(`--root=${pin}`, 'enroll')
  })
  afterAll(() => fleet[Symbol.asyncDispose]())

  const change = async (path: string, body: object = {}): Promise<void> => {
    const admin = operator(fleet.data, fleet.enrollment.href)
    const answer = await admin.call('POST', `/v1/ca/${path}`, body)
    admin.close()
    if (answer.status > 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
  const anchors = (): number => parseCertificates(device.read('anchors.pem')).length

  test('learns the new root while it is introduced, and nothing before', async () => {
    expect(readdirSync(device.store)).toEqual(['identity.pem'])
    await change('rotations', { kind: 'root' })
    const renewed = await device.run(`--root=${pin}`, 'renew', 'publish')
    expect(renewed.text).toContain('the roots have changed')
    expect(renewed.status).toBe(0)
    expect(anchors()).toBe(2)
  })

  test('goes on when only the new one is left, and forgets the old one', async () => {
    await change('root-2/activate')
    await change('root/retire', { force: true })
    const renewed = await device.run(`--root=${pin}`, 'renew', 'publish')
    expect(renewed.status, renewed.text).toBe(0)
    expect(anchors()).toBe(1)
    // Who slept through it all has to be told from elsewhere, as docs/enrollment.md says.
    const late = await sleeper.run(`--root=${pin}`, '--attempts=1', 'renew')
    expect(late.text).toContain('is not trusted')
    expect(late.status).toBe(5)
    const told = await sleeper.run('renew')
    expect(told.status, told.text).toBe(0)
  })

  test('starts over when another root is provisioned', async () => {
    const strange = fleet.file('strange.crt')
    const [leaf] = parseCertificates(sleeper.read('identity.pem'))
    writeFileSync(strange, toPem('CERTIFICATE', leaf?.der ?? Buffer.alloc(0)))
    const { status, text } = await device.run(`--root=${strange}`, 'publish')
    expect(text).toContain('is not trusted')
    expect(status).toBe(5)
  })
})
