import { parseCertificates } from '@fleetroot/pki'
import { parsePolicy } from '@fleetroot/policy'
import { loadConfig } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { listenerTrust } from '../authorities/authorities.ts'
import { TicketKeys } from '../listener/ticket-keys.ts'
import type { CertificateRef } from '../revocation/revocation-set.ts'
import { settings } from '../settings.ts'
import { issueFor, makeAuthority } from '../testing/authority.ts'
import { knownRevocation } from '../testing/known-revocation.ts'
import type { Beginning, ToWorker } from './messages.ts'
import { toPlain } from './plain-authorities.ts'
import { Relayed } from './relayed.ts'

const loaded = loadConfig({ app: 'broker', version: '1', summary: '', settings, argv: [], env: {} })
const config = (loaded as unknown as { config: Beginning['config'] }).config
const policy = parsePolicy('version: 1\nroles: { device: { clientIds: ["${id}"] } }', 'first')

const authority = await makeAuthority()
const identity = await issueFor(authority, { profile: 'service', id: 'broker' })

async function deviceCertificate(): Promise<CertificateRef> {
  const { cert } = await issueFor(authority, { profile: 'device', id: 'pump' })
  const { authorityKeyId = '', serial } = parseCertificates(cert)[0]!
  return { issuerKeyId: authorityKeyId, serial }
}

/** A worker that begins, with every message copied as the channel between processes does. */
function begin(parts: Partial<Beginning> = {}): { worker: Relayed; tell: (message: ToWorker) => void } {
  const beginning: Beginning = {
    number: 1,
    config,
    policies: [{ listener: undefined, policy }],
    authorities: toPlain(authority.authorities),
    identity,
    ticketKeys: new TicketKeys().current,
    revocation: [],
    ports: {},
    ...parts,
  }
  const worker = new Relayed(structuredClone(beginning), { connected: () => undefined })
  return { worker, tell: (message) => worker.take(structuredClone(message)) }
}

describe('a worker', () => {
  test('trusts nobody as long as it was told nothing of revocations', async () => {
    const { worker } = begin()
    const device = await deviceCertificate()
    expect(worker.revocation.standingOf(device)).toBe('unknown')
    expect(worker.revocation.isClosed()).toBe(true)
  })

  test('knows what the supervising process knows, and what it learns', async () => {
    const device = await deviceCertificate()
    const source = knownRevocation(authority.authorities)
    const { worker, tell } = begin()
    source.relay((step) => tell({ kind: 'revocation', step }))
    expect(worker.revocation.standingOf(device)).toBe('good')
    const heard: string[] = []
    worker.revocation.subscribe({
      onChange: ({ serial }) => heard.push(serial),
      onReplaced: () => heard.push('list'),
    })
    source.applyTo(device, 'revoked', 1)
    expect([worker.revocation.standingOf(device), heard]).toEqual(['revoked', [device.serial]])
  })

  test('puts policies, CAs, identity and ticket keys in force in the turn in which it is told', async () => {
    const { worker, tell } = begin()
    expect(listenerTrust(worker.authorities.current)).toEqual(listenerTrust(authority.authorities))
    const other = await makeAuthority()
    const next = parsePolicy('version: 1\nroles: {}', 'second')
    const seen: unknown[] = []
    worker.policies.onChange((changed, listener) => seen.push(changed.name, listener))
    worker.authorities.subscribe((changed) => seen.push(listenerTrust(changed).length))
    worker.identity.subscribe((changed) => seen.push(changed.cert === identity.cert))
    worker.ticketKeys.follow((keys) => seen.push(keys[0]))
    tell({ kind: 'policy', change: { listener: 'lab', policy: next } })
    tell({ kind: 'authorities', authorities: toPlain(other.authorities) })
    tell({ kind: 'identity', identity })
    tell({ kind: 'ticket-keys', keys: Buffer.alloc(48, 7) })
    expect(seen.slice(1)).toEqual(['second', 'lab', listenerTrust(other.authorities).length, true, 7])
    expect(worker.policies.of('lab').name).toBe('second')
    expect(worker.policies.of('other').name).toBe('first')
    expect(listenerTrust(worker.authorities.current)).toEqual(listenerTrust(other.authorities))
  })
})
