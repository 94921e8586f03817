import { createLogger } from '@fleetroot/service'
import { type Certificate, parseCertificates } from '@fleetroot/pki'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { issueFor, makeAuthority, type TestAuthority } from '../testing/authority.ts'
import { expectSoon } from '../testing/followed-broker.ts'
import { watchReadiness } from './readiness.ts'
import { Revocation } from './revocation.ts'
import { SerialTable } from './serial-table.ts'
import type { StalePolicy } from './staleness.ts'

let authority: TestAuthority
let own: Certificate
let close: (() => void) | undefined

beforeAll(async () => {
  authority = await makeAuthority()
  own = parseCertificates((await issueFor(authority, { profile: 'service', id: 'broker' })).cert)[0]!
})
afterEach(() => close?.())

function watched(policy: StalePolicy) {
  const clock = { now: 1_700_000_000_000 }
  const revocation = new Revocation(authority.authorities, { policy, afterMs: 600_000, now: () => clock.now })
  const told: [string, string | undefined][] = []
  const lines: string[] = []
  const watch = watchReadiness({
    revocation,
    ownCertificate: () => own,
    onReadiness: (check, reason) => told.push([check, reason]),
    log: createLogger({ name: 'broker', level: 'info', stream: { write: (line) => void lines.push(line) } }),
    intervalMs: 5,
  })
  close = watch.close
  const know = (): void => {
    for (const { certificate } of authority.authorities.issuing) {
      revocation.replaceList(certificate.subjectKeyId ?? '', new SerialTable(), 0)
    }
    revocation.confirm(clock.now)
  }
  return { clock, revocation, told, lines, know }
}

test('a broker that knows nothing is not ready, and ready in the turn in which it does', () => {
  const { told, know, lines } = watched('fail-closed')
  expect(lines.join('')).not.toContain('error')
  expect(told).toEqual([
    ['revocation', 'nothing is known about revoked certificates yet'],
    ['identity', undefined],
  ])
  know()
  expect(told.slice(2)).toEqual([['revocation', undefined]])
})

test('under fail-closed stale data makes it not ready, and one line says so', async () => {
  const { clock, told, lines, know, revocation } = watched('fail-closed')
  know()
  lines.length = 0
  clock.now += 600_000
  await expectSoon(() => told.at(-1)?.[1] === 'nothing recent is known about revoked certificates')
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'error', confirmed: '10m ago', msg: 'revocation data is stale: nobody passes' },
  ])
  revocation.confirm(clock.now)
  expect(told.at(-1)).toEqual(['revocation', undefined])
  expect(lines).toHaveLength(2)
})

test('under fail-open stale data leaves it ready, and one line says so', async () => {
  const { clock, told, lines, know } = watched('fail-open')
  know()
  lines.length = 0
  clock.now += 600_000
  await expectSoon(() => lines.length > 0)
  expect(lines.join('')).toContain('revocation data is stale: whoever was not revoked then still passes')
  expect(told.at(-1)).toEqual(['revocation', undefined])
})

test('a revoked certificate of its own makes it not ready, and one on hold until it is resumed', () => {
  const { told, know, revocation } = watched('fail-closed')
  know()
  const certificate = { issuerKeyId: own.authorityKeyId ?? '', serial: own.serial }
  revocation.applyTo(certificate, 'suspended', 1)
  expect(told.at(-1)).toEqual(['identity', `the broker's own certificate ${own.serial} is suspended`])
  revocation.replaceList(certificate.issuerKeyId, new SerialTable(0), 2)
  expect(told.at(-1)).toEqual(['identity', undefined])
  revocation.applyTo(certificate, 'revoked', 3)
  expect(told.at(-1)).toEqual(['identity', `the broker's own certificate ${own.serial} is revoked`])
})
