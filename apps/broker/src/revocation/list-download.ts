import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { BrokerError } from '../error.ts'

/** Where a list is and what is held of it already. */
export interface ListRequest {
  /** `https://…/crl/devices.crl`. */
  readonly url: URL
  readonly tls: ConnectionOptions
  /** Of the list that is held: an unchanged one is not sent again. */
  readonly etag: string | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** A list as it came, nothing verified. */
export interface DownloadedList {
  readonly der: Buffer
  readonly etag: string | undefined
  /** The last event that it includes, or that changed nothing in it. */
  readonly eventId: number
}

/** Largest list that is read: 100,000 entries take about 4 MB, and pki reads none over 16 MiB. */
const maxBytes = 16 * 1024 * 1024

/**
 * Fetches a revocation list if it has changed; `unchanged` otherwise, with the event id of now where the server
 * says it. Throws BrokerError `revocation-unreachable`, `revocation-refused` for another status than 200 and 304, and
 * `revocation-list-invalid` for an answer that is too large or does not say which events it includes.
 */
export async function downloadList(
  wish: ListRequest,
): Promise<DownloadedList | { unchanged: number | undefined }> {
  const { url, tls, etag, timeoutMs, signal } = wish
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const outgoing = request(url, {
    ...tls,
    agent: false,
    signal: limit,
    headers: { accept: 'application/pkix-crl', ...(etag === undefined ? {} : { 'if-none-match': etag }) },
  })
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    outgoing.once('response', resolve).on('error', reject)
    outgoing.end()
    const response = await promise
    const eventId = eventIdOf(response)
    if (response.statusCode === 304 && etag !== undefined) {
      response.resume()
      return { unchanged: eventId }
    }
    if (response.statusCode !== 200) {
      throw new BrokerError('revocation-refused', `${url.href} answered with status ${response.statusCode}`)
    }
    if (eventId === undefined) {
      throw new BrokerError(
        'revocation-list-invalid',
        `${url.href} does not say which events it includes: the header fleetroot-event-id is not a number`,
      )
    }
    const der = await readBody(response, url)
    return { der, etag: response.headers.etag, eventId }
  } catch (error) {
    if (error instanceof BrokerError) throw error
    const isLate = limit.aborted && !signal.aborted
    const said = error instanceof Error ? error.message : String(error)
    const why = isLate ? `no answer within ${timeoutMs / 1000} s` : said
    throw new BrokerError('revocation-unreachable', `cannot fetch ${url.href}: ${why}`, { cause: error })
  } finally {
    outgoing.destroy()
  }
}

function eventIdOf(response: IncomingMessage): number | undefined {
  const text = response.headers['fleetroot-event-id']
  if (typeof text !== 'string' || !/^\d{1,16}$/.test(text)) return undefined
  const id = Number(text)
  return Number.isSafeInteger(id) ? id : undefined
}

async function readBody(response: IncomingMessage, url: URL): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      throw new BrokerError('revocation-list-invalid', `${url.href} is larger than ${maxBytes} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
