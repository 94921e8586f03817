import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDataDirectory } from '@fleetroot/service'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { SimulatorError } from '../error.ts'
import type { Operator } from '../operator/operator.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { deviceIds } from './device-ids.ts'
import { createDevices, type FleetDevice } from './device.ts'
import { prepare } from './preparation.ts'

const day = 86_400_000
let authority: Authority
let folder = ''

beforeAll(async () => {
  authority = await createAuthority()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'preparation-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function devicesIn(count: number): Promise<FleetDevice[]> {
  const data = await openDataDirectory(join(folder, 'data'))
  return createDevices({ ids: deviceIds('device', count), seed: 1, intervalMs: 1_000, data })
}

/** Stores an identity for the device, issued `daysAgo`. */
async function keep(device: FleetDevice, issuedBy: Authority, daysAgo = 0): Promise<void> {
  const obtainedAt = new Date(Date.now() - daysAgo * day)
  await device.store.save({ ...(await issuedBy.issue(device.id, 'device', obtainedAt)), obtainedAt })
}

async function prepareAll(devices: FleetDevice[], operator: Partial<Operator> = {}) {
  const census = createCensus(devices.length)
  const asked: string[] = []
  const prepared = await prepare({
    devices,
    operator: {
      trust: authority.trust,
      register: async (id) => {
        asked.push(id)
        return true
      },
      makeToken: async (id) => `token of ${id}`,
      close: () => undefined,
      ...operator,
    },
    census,
    now: new Date(),
    tokenSeconds: 60,
    signal: new AbortController().signal,
  })
  return { census, prepared, asked }
}

describe('prepare', () => {
  test('registers what is new, and reuses what is valid, due for renewal or not', async () => {
    const devices = await devicesIn(3)
    const [fresh, valid, due] = devices as [FleetDevice, FleetDevice, FleetDevice]
    await keep(valid, authority)
    await keep(due, authority, 25)
    const { census, prepared, asked } = await prepareAll(devices)
    expect(prepared).toEqual({ tokens: 1, due: 1 })
    expect(asked).toEqual([fresh.id])
    expect(fresh.token).toBe(`token of ${fresh.id}`)
    expect(valid.identity?.id).toBe(valid.id)
    expect(due).toMatchObject({ token: undefined, identity: { id: due.id } })
    expect(census).toMatchObject({ registered: 1, reused: 2 })
  })

  test('gives a new token to a device whose identity has expired or is from another authority', async () => {
    const devices = await devicesIn(2)
    const [expired, foreign] = devices as [FleetDevice, FleetDevice]
    await keep(expired, authority, 40)
    await keep(foreign, await createAuthority())
    const { prepared, census } = await prepareAll(devices)
    expect(prepared).toEqual({ tokens: 2, due: 0 })
    expect(census.reused).toBe(0)
  })

  test('counts a device that could not be prepared and goes on with the others', async () => {
    const devices = await devicesIn(3)
    const [damaged] = devices as [FleetDevice]
    await keep(damaged, authority)
    await writeFile(join(damaged.store.directory, 'identity.pem'), 'nonsense')
    const { census, prepared } = await prepareAll(devices, {
      register: async (id) => {
        if (id === devices[1]?.id) throw new SimulatorError('operator-refused', 'no more devices')
        return false
      },
    })
    expect(prepared).toEqual({ tokens: 1, due: 0 })
    expect(
      census.failures
        .first()
        .map(({ code }) => code)
        .sort(),
    ).toEqual(['operator-refused', 'store-damaged'])
  })
})
