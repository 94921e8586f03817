import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { askOver } from './calls.ts'
import type { RegistryError } from './registry-error.ts'
import { openThread } from './thread.ts'

/** A thread that runs this text, with `port` and the function `ready`. */
const script = (text: string): URL =>
  new URL(
    `data:text/javascript,${encodeURIComponent(
      `import { parentPort as port } from 'node:worker_threads'
       const ready = () => port.postMessage({ ready: true })
       ${text}`,
    )}`,
  )

it('fails all that was asked, and says so once, when the thread ends by itself', async () => {
  for (const end of ['process.exit(3)', 'throw new Error("broken")']) {
    const failures: RegistryError[] = []
    const dying = script(`port.on('message', () => { ${end} }); ready()`)
    const thread = await openThread(dying, { file: 'registry.db' }, (error) => failures.push(error))
    const asked = await Promise.allSettled(Array.from({ length: 100 }, (_, n) => thread.ask('anything', n)))
    for (const one of asked) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'registry-closed' } })
    }
    expect(failures).toHaveLength(1)
    await expect(thread.ask('anything', 0)).rejects.toMatchObject({ code: 'registry-closed' })
    await thread.close()
  }
})

it('gives every caller its own answer, though a later batch is answered first', async () => {
  const reversing = script(`
    const batches = []
    port.on('message', (message) => {
      if (!message) return port.close()
      batches.push(message)
      if (batches.length < 2) return
      for (const { batch, calls } of batches.reverse()) {
        port.postMessage({ batch, answers: calls.map(([, input]) => ({ value: input })) })
      }
    })
    ready()`)
  const thread = await openThread(reversing, { file: 'registry.db' }, () => {})
  const inputs = Array.from({ length: 64 }, (_, n) => n)
  expect(await Promise.all(inputs.map((n) => thread.ask('echo', n)))).toEqual(inputs)
  await thread.close()
})

it('tells an error of the registry from a bug, which keeps the stack of its thread', async () => {
  const failing = script(`
    port.on('message', (message) => {
      if (!message) return port.close()
      const answers = [
        { error: { code: 'registry-failed', message: 'disk full' } },
        { error: { message: 'a bug', stack: 'Error: a bug\\n    at elsewhere' } },
      ]
      port.postMessage({ batch: message.batch, answers })
    })
    ready()`)
  const thread = await openThread(failing, { file: 'registry.db' }, () => {})
  const [first, second] = await Promise.allSettled([thread.ask('a', 0), thread.ask('b', 0)])
  expect(first).toMatchObject({ reason: { name: 'RegistryError', code: 'registry-failed' } })
  expect(second).toMatchObject({ reason: { name: 'Error', stack: expect.stringContaining('elsewhere') } })
  await thread.close()
})

it('answers another thread over a port, whose calls fail when it is gone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'))
  const { port1, port2 } = new MessageChannel()
  const data = { file: join(folder, 'registry.db'), ports: [port1] }
  const thread = await openThread(new URL('./worker.ts', import.meta.url), data, () => {}, [port1])
  const calls = askOver(port2)
  const device = { id: 'pump-7', profile: 'device', dns: [], ip: [], labels: {}, createdAtMs: 1 }
  expect(await calls.ask('addDevice', device)).toBe(true)
  expect(await thread.ask('findDevice', 'pump-7')).toMatchObject({ id: 'pump-7' })
  await expect(calls.ask('dropEverything', 0)).rejects.toThrow('does not know')
  const late = Promise.allSettled(Array.from({ length: 100 }, () => calls.ask('findDevice', 'pump-7')))
  await thread.close()
  for (const one of await late) {
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'registry-closed' })
  }
  await expect(calls.ask('findDevice', 'pump-7')).rejects.toMatchObject({ code: 'registry-closed' })
  rmSync(folder, { recursive: true })
})
