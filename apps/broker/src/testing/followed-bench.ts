import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseCertificates } from '@fleetroot/pki'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach } from 'vitest'
import type { FollowCounts } from '../revocation/follow.ts'
import { issueFor } from './authority.ts'
import {
  expectSoon,
  type FollowedBroker,
  type FollowedFleet,
  type FollowedOptions,
  startFollowedFleet,
} from './followed-broker.ts'

/** What tests of a broker that follows revocations share: all of it is new for each test, and closed after it. */
export interface FollowedBench {
  /** A private folder, which the brokers keep what they know in. */
  readonly path: string
  readonly fleet: FollowedFleet
  /** The broker that was started last. */
  live: FollowedBroker
  /** Two devices. */
  readonly pump: KeyAndCertificate
  readonly lamp: KeyAndCertificate
  /** Starts a broker that has read the lists and whose stream is open. */
  start(how?: FollowedOptions): Promise<void>
  /** What the broker holds of this identity now. */
  standing(identity: KeyAndCertificate): string
  counts(): FollowCounts
  /** How many lines of the log have this text. */
  logged(text: string): number
}

/** To be called once, at the top of a test file. */
export function followedBench(): FollowedBench {
  beforeEach(async () => {
    const path = await mkdtemp(join(tmpdir(), 'fleetroot-broker-'))
    const fleet = await startFollowedFleet(path)
    const device = (id: string) => issueFor(fleet.authority, { profile: 'device', id })
    const [pump, lamp] = await Promise.all([device('pump'), device('lamp')])
    Object.assign(bench, { path, fleet, pump, lamp })
  })
  afterEach(async () => {
    await bench.fleet.close()
    await rm(bench.path, { recursive: true })
  })

  // The rest is filled in before any test can read it.
  const bench = {
    start: async (how = {}) => {
      bench.live = await bench.fleet.startBroker(how)
      await expectSoon(() => bench.counts().isConnected && bench.counts().polls >= 2)
    },
    standing: (identity) => {
      const [leaf] = parseCertificates(identity.cert)
      const { serial, authorityKeyId = '' } = leaf!
      return bench.live.revocation.standingOf({ issuerKeyId: authorityKeyId, serial })
    },
    counts: () => bench.live.follower.counts(),
    logged: (text) => bench.fleet.log.filter((line) => line.includes(text)).length,
  } as FollowedBench
  return bench
}
