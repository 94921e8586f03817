import { once } from 'node:events'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { mostUnanswered } from './pipelining.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

/** Sends so many requests in one piece; resolves to the answers when the server has closed, or when that many have come. */
async function pipelined(count: number): Promise<{ answers: number; isClosed: boolean }> {
  const { port, root } = testbed
  const socket = connect({ host: '127.0.0.1', port, ca: root, servername: 'localhost' })
  await once(socket, 'secureConnect')
  let text = ''
  const closed = once(socket, 'close').then(() => true)
  const answered = new Promise<boolean>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.split('HTTP/1.1 200 OK').length - 1 >= count) resolve(false)
    })
  })
  socket.on('error', () => undefined)
  socket.write('GET /v1/ca HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(count))
  const isClosed = await Promise.race([closed, answered])
  socket.destroy()
  return { answers: text.split('HTTP/1.1 200 OK').length - 1, isClosed }
}

describe('requests that do not wait for answers', () => {
  it('are answered, as many as may be under way', async () => {
    expect(await pipelined(mostUnanswered)).toEqual({ answers: mostUnanswered, isClosed: false })
  })

  it('beyond that end their connection, which is in the log', async () => {
    expect((await pipelined(mostUnanswered * 5)).isClosed).toBe(true)
    expect(testbed.lines).toContainEqual(
      expect.objectContaining({
        decision: 'rate-limited',
        detail: 'connection: more than 100 requests wait for their answers',
      }),
    )
  })
})
