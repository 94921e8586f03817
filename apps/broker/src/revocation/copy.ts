import { readFile, rm } from 'node:fs/promises'
import { parseSerial, type SerialNumber } from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import { z } from 'zod'
import { issuerIdPattern } from './registry-event.ts'
import type { PendingDenial } from './revocation-set.ts'

/** What is kept beside a list. */
export interface ListRecord {
  /** CRLNumber. */
  readonly number: bigint
  /** By which the server knows it again. */
  readonly etag: string | undefined
  /** The last event that it includes. */
  readonly eventId: number
}

/** What a broker that is started again must still know. */
export interface Snapshot {
  /** The event after which to resume the stream. */
  readonly cursor: number | undefined
  /** When all of it was confirmed last, in milliseconds since 1970. */
  readonly confirmedMs: number | undefined
  /** By the id of the issuing CA. */
  readonly lists: ReadonlyMap<string, ListRecord>
  /** What is in no list yet. Only what closes the door: this file is not signed. */
  readonly denials: readonly PendingDenial[]
}

const folder = 'broker/revocation'
const stateFile = `${folder}/state.json`
const listFile = (issuer: string): string => `${folder}/${issuer}.crl`

const serial = z.string().transform((text): SerialNumber => parseSerial(text))

const schema = z.object({
  version: z.literal(1),
  cursor: z.int().min(0).optional(),
  confirmedMs: z.number().optional(),
  lists: z.record(
    z.string().regex(issuerIdPattern),
    z.object({ number: z.string().regex(/^\d+$/), etag: z.string().optional(), eventId: z.int().min(0) }),
  ),
  denials: z.array(
    z.object({
      issuerKeyId: z.string(),
      serial,
      mark: z.enum(['revoked', 'suspended']),
      eventId: z.int().min(0),
    }),
  ),
})

/**
 * Keeps revocation data in the data directory, files 0600 and written as a whole. The caller verifies the
 * signatures of what it reads. Several brokers may share the directory: a list never takes the place of a newer one.
 */
export class RevocationCopy {
  readonly #data: DataDirectory
  readonly #onError: (error: unknown) => void
  /** Lists that are not on the disk yet. */
  readonly #staged = new Map<string, Buffer>()
  #waiting: (() => Snapshot) | undefined
  #writing: Promise<void> | undefined

  constructor(data: DataDirectory, onError: (error: unknown) => void) {
    this.#data = data
    this.#onError = onError
  }

  /** What was kept; a file that is missing or damaged is as good as none, for the server has the original. */
  async read(): Promise<{ snapshot: Snapshot; ders: ReadonlyMap<string, Buffer> } | undefined> {
    const state = await this.#readState()
    if (state === undefined) return undefined
    const lists = new Map<string, ListRecord>()
    const ders = new Map<string, Buffer>()
    for (const [issuer, record] of Object.entries(state.lists)) {
      const der = await readIfThere(this.#data.file(listFile(issuer)))
      if (der === undefined) continue
      lists.set(issuer, { number: BigInt(record.number), etag: record.etag, eventId: record.eventId })
      ders.set(issuer, der)
    }
    const { cursor, confirmedMs, denials } = state
    return { snapshot: { cursor, confirmedMs, lists, denials }, ders }
  }

  /** Has a list written with the next snapshot. It is kept in memory only until then. */
  stage(issuer: string, der: Buffer): void {
    this.#staged.set(issuer, der)
  }

  /**
   * Writes what `snapshot` gives when its turn comes. While one write is under way others wait as one, so that a
   * burst of events costs two writes and never waits for the disk.
   */
  save(snapshot: () => Snapshot): void {
    this.#waiting = snapshot
    this.#writing ??= this.#writeAll()
  }

  /** Resolves when all that was to be written is on the disk, or cannot be. */
  async flushed(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting !== undefined) {
        const snapshot = this.#waiting
        this.#waiting = undefined
        await this.#data.locked('broker-revocation', () => this.#write(snapshot()))
      }
    } catch (error) {
      this.#onError(error)
    } finally {
      this.#writing = undefined
    }
  }

  async #write({ cursor, confirmedMs, lists, denials }: Snapshot): Promise<void> {
    const before = await this.#readState()
    const isNewer = [...lists].some(([name, { number }]) => number < BigInt(before?.lists[name]?.number ?? 0))
    // Another broker on this directory knows more and has written it.
    if (isNewer) return this.#staged.clear()
    for (const [name, der] of this.#staged) {
      await this.#data.write(listFile(name), der)
      if (this.#staged.get(name) === der) this.#staged.delete(name)
    }
    const state = {
      version: 1,
      cursor,
      confirmedMs,
      lists: Object.fromEntries(
        [...lists].map(([name, { number, etag, eventId }]) => [
          name,
          { number: String(number), etag, eventId },
        ]),
      ),
      denials,
    }
    await this.#data.write(stateFile, `${JSON.stringify(state)}\n`)
    // After the state that no longer names them.
    for (const issuer of Object.keys(before?.lists ?? {})) {
      if (!lists.has(issuer)) await rm(this.#data.file(listFile(issuer)), { force: true })
    }
    return undefined
  }

  async #readState(): Promise<z.output<typeof schema> | undefined> {
    const text = await readIfThere(this.#data.file(stateFile))
    if (text === undefined) return undefined
    try {
      return schema.parse(JSON.parse(text.toString('utf8')))
    } catch {
      return undefined
    }
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
