import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, startApp, writeCaKeys } from '@fleetroot/harness'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sandboxOf } from './sandbox.ts'

const local = { host: '127.0.0.1', serverNames: ['localhost', '127.0.0.1'] }

describe('a sandbox', () => {
  it('is there only where it is asked for', () => {
    expect(sandboxOf(local)).toBeUndefined()
    expect(sandboxOf({ ...local, sandbox: 'd1' })).toEqual({ id: 'd1', serverName: 'localhost' })
    expect(sandboxOf({ host: '::1', serverNames: ['::1'], sandbox: 'd1' })?.serverName).toBe('[::1]')
  })

  it.each(['0.0.0.0', '::', '192.0.2.1', 'ca.example', '127.0.0.1.example'])('is refused on %s', (host) => {
    expect(() => sandboxOf({ ...local, host, sandbox: 'd1' })).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(`--host=${host} can be`) }),
    )
  })

  it('is refused for an identity of the server, and where no name leads to it', () => {
    expect(() => sandboxOf({ ...local, sandbox: 'operator' })).toThrow(/operator: .* choose another id/)
    expect(() => sandboxOf({ ...local, serverNames: ['ca.example'], sandbox: 'd1' })).toThrow(
      /localhost among the --server-names/,
    )
  })
})

describe('the process', () => {
  let data: string
  const processes: App[] = []
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'fleetroot-sandbox-'))
    writeCaKeys(data)
  })
  afterEach(async () => {
    for (const started of processes.splice(0)) await started.stop('SIGKILL')
    await rm(data, { recursive: true })
  })
  const start = (...args: string[]): App => {
    const started = startApp('enrollment-server', args, { FLEETROOT_DATA: data })
    processes.push(started)
    return started
  }

  it('says what it did, makes another token at each start, and prints none without --sandbox', async () => {
    const tokens = new Set<string | undefined>()
    for (const what of ['registered d1', 'd1 was registered']) {
      const server = start('--sandbox=d1')
      await server.waitFor(/^base64 -d/m)
      expect(server.output()).toMatch(new RegExp(`sandbox: ${what}; made a token for it.* until 20`))
      tokens.add(/--user d1:(\S{43})/.exec(server.output())?.[1])
      expect(await server.stop()).toEqual({ status: 0, signal: null })
    }
    expect(tokens.size).toBe(2)
    expect(tokens).not.toContain(undefined)
    const plain = start()
    await plain.ready()
    await plain.stop()
    expect(plain.output()).not.toMatch(/sandbox|--user/)
  })

  it.each([
    ['--sandbox=d1 --host=0.0.0.0', /can be reached from others/],
    ['--sandbox=../d1', /must be a device id/],
  ])('does not start with %s', async (flags, reason) => {
    const server = start(...flags.split(' '))
    expect(await server.exited).toEqual({ status: 2, signal: null })
    expect(server.output()).toMatch(reason)
  })
})
