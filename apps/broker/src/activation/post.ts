import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import type { SerialNumber } from '@fleetroot/pki'
import { BrokerError } from '../error.ts'

const path = '/v1/certificates/activations'
const timeoutMs = 30_000
const mostAnswerBytes = 64 * 1024

/**
 * Tells the enrollment server that certificates have connected.
 * @throws {BrokerError} `activation-unreachable`, or `activation-refused` for another status than 200
 */
export async function postActivations(wish: {
  readonly url: string
  readonly tls: ConnectionOptions
  readonly serials: readonly SerialNumber[]
  readonly signal: AbortSignal
}): Promise<void> {
  const { url, tls, serials, signal } = wish
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const body = JSON.stringify({ serials })
  const outgoing = request(new URL(path, url), {
    ...tls,
    method: 'POST',
    agent: false,
    signal: limit,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  })
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    outgoing.once('response', resolve).on('error', reject)
    outgoing.end(body)
    const response = await promise
    const answer = await readStart(response)
    if (response.statusCode === 200) return
    throw new BrokerError(
      'activation-refused',
      `${url}${path} answered with status ${response.statusCode}${codeIn(answer)}`,
    )
  } catch (error) {
    if (error instanceof BrokerError) throw error
    const said = error instanceof Error ? error.message : String(error)
    const why = limit.aborted && !signal.aborted ? `no answer within ${timeoutMs / 1000} s` : said
    throw new BrokerError('activation-unreachable', `cannot reach ${url}${path}: ${why}`, { cause: error })
  } finally {
    outgoing.destroy()
  }
}

async function readStart(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1')
    if (text.length > mostAnswerBytes) break
  }
  return text
}

/** The stable code of a problem, if the answer is one. */
function codeIn(answer: string): string {
  const [, code] = /"code":"([a-z-]{1,64})"/.exec(answer) ?? []
  return code === undefined ? '' : `, ${code}`
}
