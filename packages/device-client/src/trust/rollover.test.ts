import { commonNames, createCrossCertificate, createRootCertificate, newSerial } from '@fleetroot/pki'
import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '@fleetroot/pki/testing'

import { type Authority, createAuthority } from '../testing/authority.ts'
import { type Rollover, rollOver } from '../testing/rollover.ts'
import { judgeRollover } from './rollover.ts'

const now = new Date()
let old: Authority
let first: Rollover
let second: Rollover

beforeAll(async () => {
  old = await createAuthority()
  first = await rollOver(old)
  second = await rollOver(first.next)
})

describe('a new root', () => {
  it('is believed when an anchor that is held has signed its key, and stands first', () => {
    const { anchors, added, dropped, refused } = judgeRollover([old.root], first.transition, now)
    expect({ anchors, added, dropped, refused }).toEqual({
      anchors: [first.next.root, old.root],
      added: [first.next.root],
      dropped: [],
      refused: [],
    })
  })

  it.each([
    ['no certificate vouches for it', () => [...old.all, ...first.next.all, first.oldWithNew]],
    ['another root vouches for it', () => [...old.all, first.next.root, second.newWithOld]],
  ])('is refused when %s', (_why, answer) => {
    const { anchors, added, refused } = judgeRollover([old.root], answer(), now)
    expect({ anchors, added, refused }).toEqual({
      anchors: [old.root],
      added: [],
      refused: [first.next.root],
    })
  })

  it('is refused when the root that vouches for it is a stranger of the same name', async () => {
    const strangers = await createAuthority()
    const { transition, next } = await rollOver(strangers)
    const { anchors, refused } = judgeRollover([old.root], [...old.all, ...transition], now)
    expect(anchors).toEqual([old.root])
    expect(refused).toEqual([strangers.root, next.root])
  })

  it('is refused when an issuing CA, and no root, has vouched for it', async () => {
    const planted = await rollOver(await createAuthority())
    const issuer = { certificate: old.root, signer: old.devices.signer }
    const forged = createCrossCertificate({ issuer, subject: planted.next.root, serial: newSerial(), now })
    // pki does not even sign it.
    await expect(forged).rejects.toMatchObject({ code: 'key-mismatch' })
  })

  it.each(['devices', 'services'] as const)(
    'is refused when it has name and key of the CA for %s, whose own certificate is no vouching',
    async (kind) => {
      const { certificate, signer } = old[kind]
      const [commonName = ''] = commonNames(certificate.subject)
      const planted = await createRootCertificate({ signer, commonName, serial: newSerial(), now })
      expect(planted.subjectDer).toEqual(certificate.subjectDer)
      // By a listed anchor, or in its place.
      for (const answer of [
        [...old.all, planted],
        [planted, certificate],
      ]) {
        expect(judgeRollover([old.root], answer, now)).toMatchObject({
          anchors: [old.root],
          refused: [planted],
        })
      }
    },
  )

  it('is refused when a pinned issuing CA has vouched for it', async () => {
    const { certificate, signer } = old.devices
    const planted = await createAuthority()
    // What the thief of its key would sign: pki does not, but for a CA without pathLenConstraint.
    const issuer = {
      certificate: altered(certificate, { basicConstraints: { ca: true, pathLength: undefined } }),
      signer,
    }
    const cross = await createCrossCertificate({ issuer, subject: planted.root, serial: newSerial(), now })
    const answer = [certificate, planted.root, cross]
    expect(judgeRollover([certificate], answer, now)).toMatchObject({
      anchors: [certificate],
      refused: [planted.root],
    })
    expect(judgeRollover([issuer.certificate], answer, now).added).toEqual([planted.root])
  })

  it.each([
    ['before it begins', () => new Date(first.next.root.notBefore.getTime() - 1)],
    ['after what vouches for it has ended', () => first.newWithOld.notAfter],
  ])('is refused %s', (_when, at) => {
    expect(judgeRollover([old.root], first.transition, at()).anchors).toEqual([old.root])
  })

  it('is reached over those before it by a device that was away for two of them', () => {
    const answer = [...first.transition, ...second.transition]
    const { anchors } = judgeRollover([old.root], answer, now)
    expect(new Set(anchors)).toEqual(new Set([second.next.root, first.next.root, old.root]))
  })
})

describe('an old root', () => {
  it('is dropped when the answer no longer lists it', () => {
    const held = [first.next.root, old.root]
    const { anchors, dropped } = judgeRollover(held, first.next.all, now)
    expect({ anchors, dropped }).toEqual({ anchors: [first.next.root], dropped: [old.root] })
  })

  it('is dropped by the very answer that brings the new one', () => {
    const answer = [...first.next.all, first.newWithOld]
    expect(judgeRollover([old.root], answer, now)).toMatchObject({
      anchors: [first.next.root],
      dropped: [old.root],
    })
  })

  it('stays when it is the last: an answer that knows none of ours changes nothing', async () => {
    const { all } = await createAuthority()
    const { anchors, added, dropped } = judgeRollover([old.root], all, now)
    expect({ anchors, added, dropped }).toEqual({ anchors: [old.root], added: [], dropped: [] })
    expect(judgeRollover([old.root], first.next.all, now).anchors).toEqual([old.root])
    expect(judgeRollover([old.root], [], now).anchors).toEqual([old.root])
  })
})

describe('a pinned issuing CA', () => {
  it('is an anchor like another, as long as it is listed', () => {
    const held = [old.devices.certificate]
    expect(judgeRollover(held, old.all, now)).toMatchObject({ anchors: held, refused: [old.root] })
  })
})
