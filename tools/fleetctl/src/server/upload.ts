import { type Agent, request } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Readable } from 'node:stream'
import { AnswerTrouble } from './exchange.ts'

/** A file to send, and who hears the lines of the answer while it is being sent. */
export interface Upload {
  readonly path: string
  readonly type: string
  readonly body: Readable
  readonly onLine: (line: string) => void
}

/** The longest line of an answer, and the longest answer that is none. */
const longestLine = 64 * 1024
const patienceMs = 60_000

/** POSTs a file as it is read. Resolves to the status; `body` has what came instead of lines. Rejects with the error of the socket. */
export async function upload(
  agent: Agent,
  base: URL,
  { path, type, body, onLine }: Upload,
  signal: AbortSignal,
): Promise<{ status: number; body: string }> {
  const outgoing = request(new URL(path, base), {
    agent,
    method: 'POST',
    headers: { 'content-type': type, accept: 'application/x-ndjson, application/json' },
    signal,
  })
  outgoing.setTimeout(patienceMs, () =>
    outgoing.destroy(new AnswerTrouble(`no answer within ${patienceMs / 1000} s`)),
  )
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  outgoing.once('response', resolve).on('error', reject)
  // A server that has seen enough answers before all is sent, and its answer says more than the broken pipe.
  const sent = pipeline(body, outgoing).catch((error: unknown) => {
    if (!outgoing.destroyed || outgoing.errored) reject(error)
  })
  const answer = await answered
  const isReport = answer.headers['content-type'] === 'application/x-ndjson'
  let rest = ''
  answer.setEncoding('utf8')
  for await (const chunk of answer as AsyncIterable<string>) {
    rest += chunk
    if (isReport) {
      const lines = rest.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onLine(line)
    }
    if (rest.length > longestLine) throw new AnswerTrouble('the answer does not end')
  }
  body.destroy()
  await sent
  return { status: answer.statusCode ?? 0, body: rest }
}
