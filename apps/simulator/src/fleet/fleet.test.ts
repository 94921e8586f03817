import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDataDirectory } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { createAgenda } from '../schedule/agenda.ts'
import { monotonicClock as clock } from '../schedule/clock.ts'
import { createAuthority } from '../testing/authority.ts'
import { deviceIds } from './device-ids.ts'
import { createDevices, type FleetDevice } from './device.ts'
import { sendOff, settle } from './fleet.ts'
import { interruption } from './interruption.ts'
import type { Life } from './life.ts'

let folder = ''
let devices: FleetDevice[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleet-'))
  const data = await openDataDirectory(folder)
  devices = createDevices({ ids: deviceIds('device', 3), seed: 1, intervalMs: 1_000, data })
})
afterEach(() => rm(folder, { recursive: true }))

/** A life that notes its steps; `steps` says how each of them ends. */
function notedLife(steps: Partial<Pick<Life, 'enroll' | 'connect'>>): Life & { notes: string[] } {
  const notes: string[] = []
  return {
    notes,
    enroll: async (device, dueAt) => {
      notes.push(`enroll ${device.id}`)
      return (await steps.enroll?.(device, dueAt)) ?? true
    },
    connect: async (device, dueAt) => {
      notes.push(`connect ${device.id}`)
      return (await steps.connect?.(device, dueAt)) ?? true
    },
    stopPublishing: () => undefined,
    close: async () => undefined,
  }
}

function send(life: Life) {
  const agenda = createAgenda(clock)
  return sendOff({ devices, arrivals: [0, 2, 4], startAt: clock.now(), agenda, clock, life })
}

describe('sendOff', () => {
  test('sends every device through both steps and then is through', async () => {
    const life = notedLife({})
    const fleet = send(life)
    await fleet.enrolled
    await fleet.connected
    expect(life.notes.toSorted()).toEqual(
      ['connect', 'enroll'].flatMap((step) => devices.map(({ id }) => `${step} ${id}`)),
    )
    expect(fleet.underWay).toBe(0)
  })

  test('does not connect a device without an identity, and is through all the same', async () => {
    const life = notedLife({ enroll: async (device) => device !== devices[1] })
    const fleet = send(life)
    await fleet.connected
    expect(life.notes.filter((note) => note.startsWith('connect'))).toHaveLength(2)
  })

  test('is an open loop: one device that hangs holds no other up', async () => {
    const never = Promise.withResolvers<boolean>()
    const othersConnected = Promise.withResolvers<void>()
    let connected = 0
    const life = notedLife({
      enroll: (device) => (device === devices[0] ? never.promise : Promise.resolve(true)),
      connect: async () => {
        if (++connected === 2) othersConnected.resolve()
        return true
      },
    })
    const fleet = send(life)
    await othersConnected.promise
    expect(fleet.underWay).toBeGreaterThanOrEqual(1)
    never.resolve(true)
    await fleet.connected
  })

  test('measures a new device from its certificate on, and one that had its identity from its arrival on', async () => {
    const due = new Map<string, number>()
    const { privateKey: _, ...leaf } = await (await createAuthority()).issue('device-0002', 'device')
    const [fresh, known] = devices as [FleetDevice, FleetDevice]
    known.identity = { ...leaf, id: known.id, obtainedAt: new Date() }
    let enrolledAt = 0
    const startAt = clock.now()
    const life = notedLife({
      enroll: async (device) => {
        if (device === fresh) enrolledAt = clock.now()
        return true
      },
      connect: async (device, dueAt) => {
        due.set(device.id, dueAt)
        return true
      },
    })
    const agenda = createAgenda(clock)
    await sendOff({ devices, arrivals: [0, 2, 4], startAt, agenda, clock, life }).connected
    expect(due.get(known.id)).toBe(startAt + 2)
    expect(due.get(fresh.id)).toBeGreaterThanOrEqual(enrolledAt)
  })
})

describe('settle', () => {
  const options = {
    fleet: { enrolled: Promise.resolve(), connected: Promise.resolve(), underWay: 0 },
    clock,
    isGone: () => false,
    repeatCommands: () => undefined,
  }

  test('waits for the last acknowledgement, delivery and answer', async () => {
    const census = createCensus(1)
    census.commands.sent = 1
    census.ledger.published('a', 1, 0)
    let settled = false
    const waiting = settle({ ...options, census, withinMs: 60_000 }).then(() => {
      settled = true
      return settled
    })
    census.ledger.acknowledged('a', 1)
    await new Promise(setImmediate)
    expect(settled).toBe(false)
    census.ledger.delivered('a', 1)
    census.commands.answered = 1
    expect(await waiting).toBe(true)
  })

  test('gives up on what does not come', async () => {
    const census = createCensus(1)
    census.ledger.published('a', 1, 0)
    await settle({ ...options, census, withinMs: 20 })
    expect(census.ledger.unsettled).toBe(1)
  })

  test('does not wait for a broker that is gone, unless it owes what it acknowledged', async () => {
    const census = createCensus(1)
    census.ledger.published('a', 1, 0)
    await settle({ ...options, census, withinMs: 3_600_000, isGone: () => true })
    census.ledger.acknowledged('a', 1)
    const waiting = settle({ ...options, census, withinMs: 3_600_000, isGone: () => true })
    await new Promise(setImmediate)
    census.ledger.delivered('a', 1)
    await waiting
    expect(census.ledger.counts()).toMatchObject({ acknowledged: 1, undelivered: 0 })
  })

  test('repeats commands that nobody answered', async () => {
    const census = createCensus(1)
    census.commands.sent = 1
    let repeats = 0
    const repeatCommands = () => {
      repeats++
      census.commands.answered = 1
    }
    await settle({ ...options, census, withinMs: 60_000, repeatCommands })
    expect(repeats).toBe(1)
  })
})

describe('interruption', () => {
  test('begins with the signal and gives up after its grace', async () => {
    const controller = new AbortController()
    const { begun, giveUp } = interruption(controller.signal, 5)
    controller.abort()
    await begun
    expect(giveUp.aborted).toBe(false)
    await new Promise((resolve) => giveUp.addEventListener('abort', resolve, { once: true }))
    expect(giveUp.aborted).toBe(true)
  })
})
