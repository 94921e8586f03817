import { describe, expect, it } from 'vitest'
import { deviceStates } from '../registry/records.ts'
import { transition } from './transition.ts'

describe('a device', () => {
  it.each(['registered', 'enrolled', 'active'] as const)(
    '%s can be suspended and comes back as it was',
    (state) => {
      expect(transition(state, 'suspend')).toEqual({ ok: true, state: 'suspended', certificates: 'hold' })
      expect(transition('suspended', 'resume', state)).toEqual({ ok: true, state, certificates: 'release' })
    },
  )

  it.each(deviceStates)('%s can be retired, again and again', (state) => {
    expect(transition(state, 'retire')).toEqual({ ok: true, state: 'retired', certificates: 'revoke' })
  })

  it.each(deviceStates)('%s keeps its state when its certificates are revoked', (state) => {
    expect(transition(state, 'revoke')).toEqual({ ok: true, state, certificates: 'revoke' })
  })

  it('that is retired never comes back', () => {
    for (const change of ['resume', 'suspend'] as const) {
      expect(transition('retired', change, 'active')).toEqual({ ok: false, code: 'device-retired' })
    }
  })

  it.each(['registered', 'enrolled', 'active'] as const)(
    '%s that was not suspended is not changed by a resume',
    (state) => {
      expect(transition(state, 'resume')).toEqual({ ok: true, state, certificates: 'keep' })
    },
  )
})
