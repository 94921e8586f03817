import { StringDecoder } from 'node:string_decoder'

/** One server-sent event. */
export interface ServerSentEvent {
  /** The `id` field of this event, or of the last one before that had one. */
  readonly id: string
  /** `message` where the event names none. */
  readonly type: string
  readonly data: string
}

/** Largest event, in characters: one of a batch lists a few hundred certificates at 80 characters each. */
const maxEventLength = 1_048_576

/**
 * Takes server-sent events out of bytes as they arrive, by the rules of the HTML standard, section 9.2.6: lines end with
 * LF, CR or CRLF; comments and unknown fields are passed over; an event that its blank line has not followed
 * is not one. Throws RangeError for an event over 1 MiB.
 */
export class EventStreamParser {
  readonly #onEvent: (event: ServerSentEvent) => void
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''
  #isFirst = true
  #endsWithCr = false
  #id = ''
  #type = ''
  #data: string[] = []
  #dataLength = 0

  constructor(onEvent: (event: ServerSentEvent) => void) {
    this.#onEvent = onEvent
  }

  push(chunk: Uint8Array): void {
    let text = this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    if (text === '') return
    // The LF of a CRLF that came in two pieces.
    if (this.#endsWithCr && text.startsWith('\n')) text = text.slice(1)
    this.#endsWithCr = text === '' ? false : text.endsWith('\r')
    if (this.#isFirst && text !== '') {
      if (text.startsWith('\uFEFF')) text = text.slice(1)
      this.#isFirst = false
    }
    const lines = (this.#rest + text).split(/\r\n|\n|\r/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
    if (this.#rest.length + this.#dataLength > maxEventLength) {
      throw new RangeError(`an event is longer than ${maxEventLength} characters`)
    }
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const rest = colon === -1 ? '' : line.slice(colon + 1)
    const value = rest.startsWith(' ') ? rest.slice(1) : rest
    if (field === 'data') {
      this.#data.push(value)
      this.#dataLength += value.length
      if (this.#dataLength > maxEventLength) {
        throw new RangeError(`an event is longer than ${maxEventLength} characters`)
      }
    } else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
  }

  #dispatch(): void {
    const event = { id: this.#id, type: this.#type || 'message', data: this.#data.join('\n') }
    // The standard drops an event without data; `reset` needs none, so a type is enough here.
    const isEvent = this.#data.length > 0 || this.#type !== ''
    this.#type = ''
    this.#data = []
    this.#dataLength = 0
    if (isEvent) this.#onEvent(event)
  }
}
