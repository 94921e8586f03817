import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { loadConfig } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { settings } from '../settings.ts'
import { checkWorkers, expectFree, shareOf } from './share.ts'

type Config = Parameters<typeof checkWorkers>[0]

function configOf(...argv: string[]): Config {
  const loaded = loadConfig({ app: 'broker', version: '1', summary: '', settings, argv, env: {} })
  if (loaded.kind !== 'config') throw new Error(loaded.text)
  // Without the settings that every app has, which are of no concern here.
  return loaded.config as Config
}

describe('several workers', () => {
  test.each([
    [['--workers=2'], 'give --redis=redis://HOST:PORT (FLEETROOT_BROKER_REDIS)'],
    [['--workers=2', '--store=disk'], 'give --redis='],
    [['--workers=2', '--store=memory', '--redis=redis://127.0.0.1:1'], 'leave out --store=memory'],
  ])('with %j are refused, with both settings named', (argv, fix) => {
    const check = () => checkWorkers(configOf(...argv))
    expect(check).toThrow(fix)
    expect(check).toThrow('--workers=2 (FLEETROOT_BROKER_WORKERS)')
  })

  test('share Redis; one worker needs none', () => {
    expect(() => checkWorkers(configOf('--workers=2', '--redis=redis://127.0.0.1:1'))).not.toThrow()
    expect(() => checkWorkers(configOf())).not.toThrow()
    expect(() => configOf('--workers=0')).toThrow('--workers')
    expect(() => configOf('--workers=65')).toThrow('at most 64')
  })

  test('each accept their part of what the node accepts', () => {
    const share = shareOf(configOf('--workers=3', '--redis=redis://127.0.0.1:1', '--accept-rate=1000'))
    expect(share).toMatchObject({ acceptRate: 334, maxHandshakes: 667, maxConnections: 100, connectRate: 2 })
  })

  test('do not join whoever listens already', async () => {
    const other = createServer().listen({ host: '127.0.0.1', port: 0, reusePort: true })
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const plan = { name: 'mqtts', kind: 'mqtts', host: '127.0.0.1', mode: 'strict' } as const
    await expect(expectFree([{ ...plan, port }])).rejects.toMatchObject({ code: 'EADDRINUSE', port })
    other.close()
    await once(other, 'close')
    await expect(
      expectFree([
        { ...plan, port },
        { ...plan, port: 0 },
      ]),
    ).resolves.toBeUndefined()
  })
})
