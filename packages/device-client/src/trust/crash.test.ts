import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type Authority, createAuthority } from '../testing/authority.ts'
import { type ChildEnd, runChild } from '../testing/child.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { type Rollover, rollOver } from '../testing/rollover.ts'
import { openTrustAnchors } from './anchor-file.ts'

let directory: string
let old: Authority
let rollover: Rollover
let server: EstResponder
let pinFile: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-trust-'))
  old = await createAuthority()
  rollover = await rollOver(old)
  server = await startEstResponder(old, await rollover.server())
  pinFile = join(directory, 'root.crt')
  await writeFile(pinFile, old.root.pem)
})

afterAll(async () => {
  await server.close()
  await rm(directory, { recursive: true })
})

const heldIn = async (file: string): Promise<string[]> =>
  (await openTrustAnchors({ file, pin: [old.root.pem] })).certificates.map(
    ({ fingerprint256 }) => fingerprint256,
  )

/** Holds the root of before the change, or those of after it; the next run ends with those of after it, and tidy. */
async function crashAndRestart(step: number, before: string[], after: string[]): Promise<ChildEnd> {
  const own = join(directory, `device-${step}-${after.length}`)
  const file = join(own, 'anchors.pem')
  if (before.length > 1) await learnBoth(file)
  const parameters = [server.url, pinFile, file]
  const end = await runChild('trust-child.ts', parameters, step)
  expect([before, after]).toContainEqual(await heldIn(file))
  const next = await runChild('trust-child.ts', parameters)
  expect(next).toMatchObject({ code: 0, stderr: '', stdout: after.join() })
  expect(await heldIn(file)).toEqual(after)
  expect(await readdir(own), `left behind after step ${step}`).toEqual(['anchors.pem'])
  return end
}

async function learnBoth(file: string): Promise<void> {
  const anchors = await openTrustAnchors({ file, pin: [old.root.pem] })
  await anchors.learn(rollover.transition)
}

/** Kills at every step until a child ends by itself; says how many were killed. */
async function killAtEveryStep(before: string[], after: string[]): Promise<number> {
  const atOnce = 3
  let killed = 0
  for (let step = 1; ; step += atOnce) {
    const steps = Array.from({ length: atOnce }, (_, at) => step + at)
    const ends = await Promise.all(steps.map(async (at) => crashAndRestart(at, before, after)))
    killed += ends.filter(({ signal }) => signal === 'SIGKILL').length
    const [finished] = ends.filter(({ signal }) => signal !== 'SIGKILL')
    if (finished === undefined) continue
    expect(finished).toMatchObject({ code: 0, stderr: '' })
    return killed
  }
}

describe('a device that is killed (SIGKILL) while it learns', () => {
  it('of a new root holds the old one or both, and the next run ends with both', async () => {
    server.cacerts = rollover.transition
    const fingerprints = [rollover.next.root, old.root].map(({ fingerprint256 }) => fingerprint256)
    expect(await killAtEveryStep(fingerprints.slice(1), fingerprints)).toBeGreaterThan(12)
  }, 240_000)

  it('of the end of an old root holds both or the new one, and the next run ends with the new one', async () => {
    server.cacerts = rollover.next.all
    const fingerprints = [rollover.next.root, old.root].map(({ fingerprint256 }) => fingerprint256)
    expect(await killAtEveryStep(fingerprints, fingerprints.slice(0, 1))).toBeGreaterThan(12)
  }, 240_000)
})
