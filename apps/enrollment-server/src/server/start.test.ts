import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger, createOperations, loadConfig, openDataDirectory } from '@fleetroot/service'
import { expect, it } from 'vitest'
import { settings } from '../config/settings.ts'
import { createMetrics } from './metrics.ts'
import { startServer } from './start.ts'

it('a start that fails leaves nothing open that its caller cannot close', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fleetroot-start-'))
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const argv = [`--port=${port}`, '--http-port=0']
  const loaded = loadConfig({ app: 'x', version: '1', summary: '', settings, argv, env: {} })
  if (loaded.kind !== 'config') throw new Error('the flags ask for nothing else')
  const operations = createOperations({ port: 0 })
  const opened: [what: string, close: () => Promise<void>][] = []
  try {
    const data = await openDataDirectory(folder)
    const starting = startServer({
      config: { ...loaded.config, host: '127.0.0.1' },
      data,
      version: '0.0.0',
      logger: createLogger({ name: 'enrollment-server', level: 'silent' }),
      metrics: createMetrics(operations.register),
      now: () => new Date(),
      made: () => {},
      onStop: (what, close) => opened.unshift([what, close]),
      onFailure: (error) => {
        throw error
      },
    })
    await expect(starting).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(opened.map(([what]) => what)).toEqual(['CRLs', 'event feed', 'registry', 'HTTP listener'])
    for (const [, close] of opened) await close()
    // SQLite removes its log with the last connection: both threads have let go.
    expect(existsSync(data.file('registry.db'))).toBe(true)
    expect(existsSync(data.file('registry.db-wal'))).toBe(false)
  } finally {
    other.close()
    await operations.close()
    await rm(folder, { recursive: true })
  }
})
