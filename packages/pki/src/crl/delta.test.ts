import { describe, expect, it } from 'vitest'
import { refusalOf } from '../testing/refusal.ts'
import { parseSerial } from '../serial.ts'
import { testNow } from '../testing/authority.ts'
import { authority, testCrl } from '../testing/crl.ts'
import { applyDelta, deltaEntries } from './delta.ts'
import { CrlEntries } from './entries.ts'
import { parseCrl } from './parse.ts'
import { verifyCrl } from './verify.ts'

const [kept, released, added, tightened, brief] = ['01', '02', '03', '04', '05'].map(parseSerial) as [
  ReturnType<typeof parseSerial>,
  ...ReturnType<typeof parseSerial>[],
]

/** A base, what changed since, and the delta that says so. */
async function story() {
  const entries = new CrlEntries([
    { serial: kept, revokedAt: testNow, reason: 'keyCompromise' },
    { serial: released!, revokedAt: testNow, reason: 'certificateHold' },
    { serial: tightened!, revokedAt: testNow, reason: 'certificateHold' },
  ])
  const base = await testCrl({ number: 10n, entries })
  entries.delete(released!)
  entries.set({ serial: added!, revokedAt: testNow })
  entries.set({ serial: tightened!, revokedAt: testNow, reason: 'keyCompromise' })
  const changed = [released!, added!, tightened!, brief!, brief!]
  const delta = await testCrl({
    number: 12n,
    baseNumber: 10n,
    entries: deltaEntries(entries, changed, testNow),
  })
  return { base, delta, entries }
}

describe('a delta CRL', () => {
  it('names what changed and nothing else, and marks its base as critical', async () => {
    const { delta } = await story()
    const read = parseCrl(delta.der)
    await verifyCrl(read, authority.issuing.certificate)
    expect([read.number, read.baseNumber]).toEqual([12n, 10n])
    expect(read.extensions.find(({ oid }) => oid === '2.5.29.27')?.critical).toBe(true)
    expect([...read.revoked].map(({ serial, reason }) => [serial, reason])).toEqual([
      [released, 'removeFromCRL'],
      [added, undefined],
      [tightened, 'keyCompromise'],
      [brief, 'removeFromCRL'],
    ])
  })

  it('applied to its base says what the complete list of that moment says', async () => {
    const { base, delta, entries } = await story()
    const reasonOf = applyDelta(parseCrl(base.der), parseCrl(delta.der))
    for (const serial of [kept, released!, added!, tightened!, brief!, parseSerial('99')]) {
      const entry = entries.get(serial)
      expect(reasonOf(serial)).toBe(entry === undefined ? undefined : (entry.reason ?? 'unspecified'))
    }
  })

  it('is applied to no list that it does not fit', async () => {
    const { base, delta } = await story()
    const scope = { issuingDistributionPoint: { onlyContains: 'user' } } as const
    const cases: [Parameters<typeof applyDelta>, string][] = [
      [[delta, delta], 'the base must be a complete list'],
      [[base, base], 'the second list must be a delta'],
      [[await testCrl({ number: 9n }), delta], 'the base is older'],
      [[await testCrl({ number: 12n }), delta], 'the base is as new'],
      [[await testCrl({ number: 10n, ...scope }), delta], 'different scopes'],
      [[await testCrl({ number: 10n, issuer: authority.root }), delta], 'different issuers'],
    ]
    for (const [[base, delta], message] of cases) {
      const refused = refusalOf(() => applyDelta(base, delta))
      expect(refused.code).toBe('crl-unsupported')
      expect(refused.message).toContain(message)
    }
    // A base that is newer than the delta's, and older than the delta, will do (section 6.3.3 c).
    applyDelta(await testCrl({ number: 11n }), delta)
  })
})
