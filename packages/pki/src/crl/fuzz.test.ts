import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  bitString,
  contextPrimitive,
  enumerated,
  explicit,
  generalizedTime,
  integer,
  readDer,
  sequence,
  time,
  tlv,
  unsignedInteger,
} from '../der/index.ts'
import { mutated } from '../testing/mutation.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, readExtensions } from '../extension/index.ts'
import { encodeSignatureAlgorithm } from '../key/index.ts'
import { encodeName } from '../name/index.ts'
import { parseSerial } from '../serial.ts'
import type { Crl } from './crl.ts'
import { testCrl } from '../testing/crl.ts'
import type { CrlEntry } from './entry.ts'
import { parseCrl } from './parse.ts'
import { reasonCode } from './reason.ts'

const day = new Date('2026-11-02T03:04:05Z')
const samples = [
  await testCrl(),
  await testCrl({ entries: [] }),
  await testCrl({
    baseNumber: 3n,
    issuingDistributionPoint: { urls: ['http://ca.example/a.crl'], onlyContains: 'user' },
    entries: [
      { serial: parseSerial('80'), revokedAt: day, reason: 'removeFromCRL' },
      { serial: parseSerial('8001'), revokedAt: new Date('2051-01-01T00:00:00Z') },
      { serial: parseSerial('8002'), revokedAt: day, reason: 'keyCompromise', invalidityDate: day },
    ],
  }),
].map(({ der }) => der)

/** Makes the bytes of a CRL from what was understood of it: nothing may have been overlooked or tolerated. */
function encodeAgain(crl: Crl): Buffer {
  const algorithm = encodeSignatureAlgorithm(crl.signatureAlgorithm)
  const rows = [...crl.revoked].map((entry, index) => encodeRow(entry, rawRow(crl, index)))
  const extensions = crl.extensions.map((extension) =>
    encodeExtension({ ...extension, value: meaning(crl, extension.oid) ?? extension.value }),
  )
  const tbs = sequence(
    integer(1),
    algorithm,
    encodeName(crl.issuer),
    time(crl.thisUpdate),
    time(crl.nextUpdate),
    ...(rows.length === 0 ? [] : [sequence(...rows)]),
    explicit(0, sequence(...extensions)),
  )
  return sequence(tbs, algorithm, bitString(crl.signature))
}

function meaning(crl: Crl, oid: string): Buffer | undefined {
  if (oid === '2.5.29.20') return integer(crl.number)
  if (oid === '2.5.29.27') return integer(crl.baseNumber ?? -1)
  if (oid !== '2.5.29.28') return undefined
  const { urls = [], onlyContains } = crl.issuingDistributionPoint ?? {}
  const names = urls.map((url) => tlv(contextPrimitive(6), Buffer.from(url)))
  const flag = onlyContains === 'user' ? 1 : 2
  return sequence(
    ...(urls.length === 0 ? [] : [explicit(0, explicit(0, ...names))]),
    ...(onlyContains === undefined ? [] : [tlv(contextPrimitive(flag), Buffer.of(0xff))]),
  )
}

function encodeRow(entry: CrlEntry, raw: { extensions: ReturnType<typeof readExtensions> }): Buffer {
  const { serial, revokedAt, reason, invalidityDate } = entry
  const list = raw.extensions.map((extension) => {
    let { value } = extension
    if (extension.oid === '2.5.29.21') value = enumerated(reasonCode(reason ?? 'unspecified') ?? 0)
    if (extension.oid === '2.5.29.24') value = generalizedTime(invalidityDate ?? new Date(Number.NaN))
    return encodeExtension({ ...extension, value })
  })
  const number = unsignedInteger(Buffer.from(serial, 'hex'))
  return sequence(number, time(revokedAt), ...(list.length === 0 ? [] : [sequence(...list)]))
}

/** The extensions of an entry as they stand, read anew: the table keeps only those that it knows. */
function rawRow(crl: Crl, index: number): { extensions: ReturnType<typeof readExtensions> } {
  return readDer(crl.tbs, 'tbs', (reader) => {
    const tbs = reader.sequence('tbs')
    for (let field = 0; field < 5; field += 1) tbs.element('field')
    const rows = tbs.sequence('rows')
    for (let skipped = 0; skipped < index; skipped += 1) rows.element('row')
    const row = rows.sequence('row')
    row.element('serial')
    row.element('time')
    const extensions = row.done ? [] : readExtensions(row, 'extensions')
    while (!rows.done) rows.element('row')
    tbs.element('extensions')
    return { extensions }
  })
}

it('the samples of the fuzz run are understood to the last byte', () => {
  for (const sample of samples) expect(encodeAgain(parseCrl(sample))).toEqual(sample)
})

it('a changed CRL is refused with a PkiError, or understood to the last byte', () => {
  let understood = 0
  fc.assert(
    fc.property(mutated(samples), (der) => {
      let crl
      try {
        crl = parseCrl(der)
      } catch (error) {
        // Any other exception is a bug, and fast-check prints the seed that finds it again.
        if (error instanceof PkiError && error.code.startsWith('crl-')) return
        throw error
      }
      understood += 1
      for (const { serial } of crl.revoked) expect(crl.revoked.has(serial)).toBe(true)
      expect(encodeAgain(crl).toString('hex')).toBe(der.toString('hex'))
    }),
    { numRuns: 20_000 },
  )
  // Were everything refused, the property would say nothing.
  expect(understood).toBeGreaterThan(100)
})

it('random bytes are refused with a PkiError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => parseCrl(bytes)).toThrow(PkiError)
    }),
    { numRuns: 2000 },
  )
})
