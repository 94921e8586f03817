import { describe, expect, test } from 'vitest'
import { IdentityGuard } from './identity-guard.ts'
import { defaultGuardLimits } from './limits.ts'
import type { SharedBudget } from './shared-budget.ts'

const pump = { role: 'device', id: 'pump', o: undefined, ou: undefined, serial: '01' }

describe('the connections of an identity', () => {
  test('are counted with the other brokers until they are closed', async () => {
    const told: [string, number][] = []
    const budget: SharedBudget = {
      enter: async (name, open) => {
        told.push([name, open])
        return open > 2 ? 'too-many-connections' : undefined
      },
      setOpen: (name, open) => void told.push([name, open]),
      settle: async () => ({ messages: 0, bytes: 0, filters: 0 }),
    }
    const guard = new IdentityGuard(defaultGuardLimits, { budget })
    const first = Promise.withResolvers<void>()
    const never = new Promise<void>(() => undefined)
    expect(await guard.join(pump, first.promise)).toBeUndefined()
    expect(await guard.join(pump, never)).toBeUndefined()
    expect(await guard.join(pump, never)).toBe('too-many-connections')
    first.resolve()
    await first.promise
    expect(told).toEqual([
      ['device/pump', 1],
      ['device/pump', 2],
      ['device/pump', 3],
      ['device/pump', 2],
      ['device/pump', 1],
    ])
  })

  test('go by what is known here when the others cannot be asked', async () => {
    const budget: SharedBudget = {
      enter: () => Promise.reject(new Error('no Redis')),
      setOpen: () => undefined,
      settle: () => Promise.reject(new Error('no Redis')),
    }
    const guard = new IdentityGuard({ ...defaultGuardLimits, maxConnections: 1 }, { budget })
    expect(guard.enter(pump)).toBeUndefined()
    expect(await guard.join(pump, new Promise(() => undefined))).toBeUndefined()
    expect(guard.enter(pump)).toBe('too-many-connections')
  })
})
