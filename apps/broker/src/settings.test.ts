import { loadConfig } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { settings } from './settings.ts'

const load = (flag: string) =>
  loadConfig({ app: 'broker', version: '1', summary: '', settings, argv: [flag], env: {} })

describe('the settings that a timer waits for', () => {
  test.each(['wait', 'connect-timeout', 'drain-timeout'])(
    '--%s refuses what would be over at once',
    (name) => {
      expect(() => load(`--${name}=25d`)).toThrow(`--${name}="25d": must be at most 24d`)
      expect(() => load(`--${name}=24d`)).not.toThrow()
    },
  )
})
