import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { type Authority, createAuthority } from '../testing/authority.ts'
import { type Rollover, rollOver } from '../testing/rollover.ts'
import { openTrustAnchors } from './anchor-file.ts'
import type { TrustAnchors } from './anchors.ts'

let old: Authority
let rollover: Rollover
let directory: string
let file: string

beforeAll(async () => {
  old = await createAuthority()
  rollover = await rollOver(old)
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-anchors-'))
  file = join(directory, 'own', 'anchors.pem')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

const open = async (pin = old.trust): Promise<TrustAnchors> => openTrustAnchors({ file, pin })
const both = (): string[] => [rollover.next.root.pem, old.root.pem]

describe('trust anchors', () => {
  it('begin with the pin, and write nothing before there is something to learn', async () => {
    const anchors = await open()
    expect(anchors.pem).toEqual(old.trust)
    expect(await readdir(directory)).toEqual([])
  })

  it('that were learned are there again, with what is below them, after a restart with the old pin', async () => {
    const anchors = await open()
    const before = anchors.pem
    await anchors.learn(old.all)
    expect(anchors.pem).toBe(before)
    const { added } = await anchors.learn(rollover.transition)
    expect(added).toEqual([rollover.next.root])
    expect(anchors.pem).toEqual(both())

    const again = await open()
    expect(again.pem).toEqual(both())
    const below = ({ intermediates }: TrustAnchors) => intermediates.map(({ pem }) => pem)
    expect(below(again)).toEqual(below(anchors))
    expect(below(again)).toHaveLength(6)
    await again.learn(rollover.next.all)
    expect((await open()).pem).toEqual(rollover.next.trust)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(join(directory, 'own'))).toEqual(['anchors.pem'])
  })

  it('begin anew with a pin that was changed, and not with the same certificates in another order', async () => {
    const anchors = await open(both())
    await anchors.learn(rollover.next.all)
    expect((await open(both().toReversed())).pem).toEqual(rollover.next.trust)
    const other = await createAuthority()
    expect((await open(other.trust)).pem).toEqual(other.trust)
  })

  it('begin anew with the pin when the file is damaged', async () => {
    await (await open()).learn(rollover.transition)
    const text = await readFile(file, 'utf8')
    for (const damaged of ['', 'nonsense', text.slice(0, 900), text.replace('Anchors: 2', 'Anchors: 99')]) {
      await writeFile(file, damaged)
      expect((await open()).pem).toEqual(old.trust)
    }
  })

  it.runIf(process.platform !== 'win32')('are not read where others could have written them', async () => {
    await (await open()).learn(rollover.transition)
    await chmod(file, 0o660)
    await expect(open()).rejects.toMatchObject({
      code: 'store-exposed',
      message: expect.stringContaining('others could make the device trust what they like'),
    })
  })

  it('stay what they were when the new ones cannot be written', async () => {
    const anchors = await open()
    await writeFile(join(directory, 'own'), 'a file where the directory should be')
    await expect(anchors.learn(rollover.transition)).rejects.toMatchObject({ code: 'store-failed' })
    expect(anchors.pem).toEqual(old.trust)
  })

  it('learn in the order in which they are told, and each from what the one before left', async () => {
    const anchors = await open()
    const next = await rollOver(rollover.next)
    await Promise.all([
      anchors.learn(rollover.transition),
      anchors.learn(rollover.next.all),
      anchors.learn(next.transition),
      anchors.learn(next.next.all),
    ])
    expect(anchors.pem).toEqual(next.next.trust)
    expect((await open()).pem).toEqual(next.next.trust)
  })

  it('need a CA for a pin', async () => {
    await expect(open([])).rejects.toMatchObject({ code: 'trust-missing' })
    const { certificate } = await old.device('dev-1')
    await expect(open([certificate.pem])).rejects.toMatchObject({ code: 'trust-not-a-ca' })
  })
})
