import type { AuditHead, AuditRecord } from '@fleetroot/service'
import type { Server } from '../server/server.ts'

/** A page of the audit, and the newest record there is. */
export interface AuditPage {
  readonly items: readonly AuditRecord[]
  readonly head: AuditHead
}

const largestPage = 1000

/** Reads one page of the audit. */
export function readPage(server: Server, after: number, limit = largestPage): Promise<AuditPage> {
  return server.call('cannot read the audit', {
    method: 'GET',
    path: `/v1/audit?after=${after}&limit=${limit}`,
  })
}

/** Every page from a record on, up to the newest. */
export async function* readPages(server: Server, after: number): AsyncGenerator<AuditPage> {
  for (let last = after; ;) {
    const page = await readPage(server, last)
    if (page.items.length === 0) return
    yield page
    last = page.items.at(-1)?.record.seq ?? last
  }
}
