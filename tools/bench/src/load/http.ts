import type { Duplex } from 'node:stream'

/**
 * Sends prepared HTTP/1.1 requests one after the other on each of some keep-alive connections, as lean as a load
 * generator in Node can be: the requests are bytes already, of an answer only status and length are read.
 * Resolves when all were answered; rejects with the body at the first status that is not 2xx.
 */
export async function drive(connections: readonly Duplex[], requests: readonly Buffer[]): Promise<void> {
  let next = 0
  await Promise.all(
    connections.map(async (connection) => {
      const answers = answersOf(connection)
      for (let request = requests[next++]; request; request = requests[next++]) {
        connection.write(request)
        const { value: answer } = await answers.next()
        if (!answer) throw new Error('the server closed the connection')
        if (answer.status < 200 || answer.status > 299) throw new Error(`${answer.status}: ${answer.body}`)
      }
    }),
  )
}

/** One prepared POST of JSON. */
export function postJson(
  host: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Buffer {
  const payload = Buffer.from(JSON.stringify(body))
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.concat([
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n` +
        `content-length: ${payload.length}\r\n${lines.join('')}\r\n`,
    ),
    payload,
  ])
}

async function* answersOf(connection: Duplex): AsyncGenerator<{ status: number; body: string }, undefined> {
  let pending: Buffer = Buffer.alloc(0)
  for await (const chunk of connection) {
    pending = pending.length === 0 ? (chunk as Buffer) : Buffer.concat([pending, chunk as Buffer])
    for (;;) {
      const end = pending.indexOf('\r\n\r\n')
      if (end < 0) break
      const head = pending.toString('latin1', 0, end)
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
      if (pending.length < end + 4 + length) break
      yield { status: Number(head.slice(9, 12)), body: pending.toString('utf8', end + 4, end + 4 + length) }
      pending = pending.subarray(end + 4 + length)
    }
  }
  return undefined
}
