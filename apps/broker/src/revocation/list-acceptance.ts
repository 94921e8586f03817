import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Certificate, type Crl, formatName, parseCrl, PkiError, verifyCrl } from '@fleetroot/pki'
import { SerialTable } from './serial-table.ts'

/** Of a list that is held: enough to tell whether another one is older. */
export interface ListVersion {
  readonly number: bigint
  readonly thisUpdate: Date
}

/** A list that its issuing CA has signed and that is not older than the one held. */
export interface AcceptedList extends ListVersion {
  /** Subject key identifier of the issuing CA, lower-case hex. */
  readonly issuerKeyId: string
  /** From then on it proves nothing about what has happened since (RFC 5280 section 5.1.2.5). */
  readonly nextUpdate: Date
  readonly der: Buffer
  readonly table: SerialTable
}

/** Why a list is not used. */
export type ListRefusalCode =
  | 'list-malformed'
  | 'list-issuer-unknown'
  | 'list-signature-invalid'
  | 'list-partial'
  | 'list-older'
  | 'list-from-the-future'

export type ListVerdict =
  | { readonly accepted: true; readonly list: AcceptedList }
  | { readonly accepted: false; readonly code: ListRefusalCode; readonly detail: string }

/** By how much the server's clock may be ahead of ours. */
const skewMs = 300_000

/** Entries taken over between two turns of the event loop: about 2 ms of work. */
const entriesPerTurn = 1_000

/**
 * May this list be used? Only if one of `issuers` has signed it, it is about all end entities of that CA, and it
 * is not older than the one held: CRLNumber never goes back (RFC 5280 section 5.2.3). A list past its
 * nextUpdate is used all the same, because whoever is in it stays out; that it confirms nothing is for the caller.
 * What it costs at 100,000 entries is spread over many turns, so that no session waits for it.
 */
export async function judgeList(
  der: Uint8Array,
  issuers: readonly Certificate[],
  held: ReadonlyMap<string, ListVersion>,
  now: number,
): Promise<ListVerdict> {
  let crl: Crl
  try {
    crl = parseCrl(der)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return refuse('list-malformed', error.message)
  }
  const issuer = issuers.find(
    ({ subjectDer, subjectKeyId }) => subjectDer.equals(crl.issuerDer) && subjectKeyId === crl.authorityKeyId,
  )
  if (issuer === undefined) {
    return refuse('list-issuer-unknown', `it is from ${formatName(crl.issuer)}, key ${crl.authorityKeyId}`)
  }
  try {
    await verifyCrl(crl, issuer)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return refuse('list-signature-invalid', error.message)
  }
  return refuseScope(crl) ?? refuseAge(crl, held.get(crl.authorityKeyId), now) ?? (await accept(crl))
}

function refuseScope({ baseNumber, issuingDistributionPoint }: Crl): ListVerdict | undefined {
  if (baseNumber !== undefined)
    return refuse('list-partial', 'it is a delta list, which says only what changed')
  if (issuingDistributionPoint?.onlyContains === 'ca') return refuse('list-partial', 'it is about CAs only')
  return undefined
}

function refuseAge(crl: Crl, held: ListVersion | undefined, now: number): ListVerdict | undefined {
  if (held !== undefined && crl.number < held.number) {
    return refuse('list-older', `its number is ${crl.number}, that of the list in use is ${held.number}`)
  }
  if (held !== undefined && crl.number === held.number && crl.thisUpdate < held.thisUpdate) {
    return refuse('list-older', `it has the number ${crl.number} of the list in use and was made before it`)
  }
  if (crl.thisUpdate.getTime() > now + skewMs) {
    return refuse(
      'list-from-the-future',
      `its thisUpdate is ${crl.thisUpdate.toISOString()}; compare the clocks`,
    )
  }
  return undefined
}

async function accept(crl: Crl): Promise<ListVerdict> {
  const table = new SerialTable(crl.revoked.size)
  let count = 0
  for (const { serial, reason } of crl.revoked) {
    table.set(serial, reason === 'certificateHold' ? 'suspended' : 'revoked')
    if ((count += 1) % entriesPerTurn === 0) await nextTurn()
  }
  const { authorityKeyId: issuerKeyId, number, thisUpdate, nextUpdate, der } = crl
  return { accepted: true, list: { issuerKeyId, number, thisUpdate, nextUpdate, der, table } }
}

function refuse(code: ListRefusalCode, detail: string): ListVerdict {
  return { accepted: false, code, detail }
}
