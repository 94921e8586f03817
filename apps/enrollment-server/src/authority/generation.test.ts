import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCaKeys } from '@fleetroot/harness'
import { type DataDirectory, openDataDirectory } from '@fleetroot/service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authorities, openAuthorities } from './authorities.ts'
import { crossCertificates, currentRoot, issuingOf } from './authority.ts'
import { type CaKind, isCaId, nextCaId } from './ca-id.ts'
import { activated, type Changed, dueForActivation, retired } from './generation.ts'
import type { Hierarchy } from './hierarchy-record.ts'
import { succeedIssuing, succeedRoot } from './successor.ts'
import { verifyHierarchy } from './verify.ts'

const now = new Date()
const passphrase = 'a passphrase for tests'
const wish = { atMs: now.getTime(), introduceForMs: 60_000 }
let folder: string
let data: DataDirectory
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-generation-'))
  await open('first')
})
afterAll(() => rm(folder, { recursive: true }))

/** A hierarchy in a folder of its own; the first generation is the same in all but `other`. */
async function open(name: string, made: (file: string) => void = () => {}): Promise<Authorities> {
  const [first, path] = [join(folder, 'first'), join(folder, name)]
  if (name !== 'first' && name !== 'other' && !existsSync(path)) await cp(first, path, { recursive: true })
  data = await openDataDirectory(path)
  if (!existsSync(data.file('ca'))) writeCaKeys(path, passphrase)
  return openAuthorities(data, { passphrase, algorithm: 'P-256', now, made })
}

const succeed = (kind: CaKind) => (hierarchy: Hierarchy, files: Parameters<typeof succeedRoot>[1]) =>
  kind === 'root' ? succeedRoot(hierarchy, files, wish) : succeedIssuing(kind, hierarchy, files, wish)
const statesIn = ({ members }: Hierarchy) => Object.fromEntries(members.map(({ id, state }) => [id, state]))

class Killed extends Error {}

describe('the id of a CA', () => {
  it('is its kind, and a number from the second on', () => {
    expect(['root', 'devices', 'services-2', 'root-10'].every(isCaId)).toBe(true)
    const none = ['', 'devices-1', 'devices-0', 'devices-02', 'leaf', 'devices-2-delta', '../root', 'root-']
    expect(none.filter(isCaId)).toEqual([])
    expect(nextCaId('devices', [])).toBe('devices')
    expect(nextCaId('devices', ['root', 'devices', 'services', 'services-2'])).toBe('devices-2')
    expect(nextCaId('services', ['services-3', 'services', 'services-2'])).toBe('services-4')
  })
})

describe('the life of a CA', () => {
  it('goes from introduced to issuing to retiring to retired, and never back', async () => {
    const authorities = await open('life')
    await authorities.update(succeed('devices'))
    const introduced = authorities.hierarchy()
    expect(statesIn(introduced)).toMatchObject({ devices: 'issuing', 'devices-2': 'introduced' })
    expect(dueForActivation(introduced, wish.atMs + 59_999)).toEqual([])
    expect(dueForActivation(introduced, wish.atMs + 60_000)).toEqual(['devices-2'])
    await authorities.update(async (hierarchy) => activated('devices-2', hierarchy, wish))
    expect(issuingOf(authorities.current(), 'devices').id).toBe('devices-2')
    const after = authorities.hierarchy()
    expect(activated('devices-2', after, wish)).toMatchObject({ ok: true, changed: false })
    expect(activated('devices', after, wish)).toMatchObject({ ok: false, code: 'authority-state' })
    const retire = (inUse: number, force: boolean) => retired('devices', after, { ...wish, inUse, force })
    expect(retire(3, false)).toMatchObject({ ok: false, code: 'authority-in-use' })
    const gone = retire(3, true)
    expect(gone.ok && gone.hierarchy.changes.at(-1)).toMatchObject({ id: 'devices', forced: true })
    expect(retired('devices-2', after, { ...wish, inUse: 0, force: true })).toMatchObject({
      code: 'authority-issuing',
    })
  })

  it('ends with what a root had certified, when that root is given up or retired', async () => {
    const authorities = await open('roots')
    await authorities.update(succeed('root'))
    expect(crossCertificates(authorities.current())).toHaveLength(4)
    await authorities.update(async (hierarchy) =>
      retired('root-2', hierarchy, { ...wish, inUse: 0, force: false }),
    )
    expect(crossCertificates(authorities.current())).toEqual([])
    await authorities.update(succeed('root'))
    await authorities.update(async (hierarchy) => activated('root-3', hierarchy, wish))
    expect(currentRoot(authorities.current()).id).toBe('root-3')
    await authorities.update(async (hierarchy) =>
      retired('root', hierarchy, { ...wish, inUse: 0, force: false }),
    )
    expect(authorities.current().roots.map(({ id }) => id)).toEqual(['root-3'])
    expect(crossCertificates(authorities.current())).toEqual([])
    // The name and the key of the first are not forgotten: no identity may have that key.
    expect(authorities.current().keys.size).toBe(5)
  })

  it('is refused where more CAs would be trusted than clients can be asked to keep', async () => {
    const authorities = await open('many')
    const decide = async (): Promise<Changed> => {
      const made = await authorities.update(succeed('services'))
      if (!made.ok) return made
      return authorities.update(async (hierarchy) => activated(made.id, hierarchy, wish))
    }
    let last = await decide()
    while (last.ok) last = await decide()
    expect(last).toMatchObject({
      code: 'rotation-pending',
      detail: 'kind: services is still retiring; retire it first',
    })
    expect(authorities.current().issuers.size).toBe(6)
  })
})

describe('a kill', () => {
  it.each(['devices', 'root'] as const)(
    'after each file of a rotation of %s leaves the old state or the new one, and nothing in between',
    async (kind) => {
      // ca/<id>.key, ca/authorities.json, then the copies.
      for (let files = 1; files <= (kind === 'root' ? 4 : 3); files++) {
        const name = `kill-${kind}-${files}`
        let left = Infinity
        const killed = await open(name, () => {
          left -= 1
          if (left <= 0) throw new Killed()
        })
        left = files
        await expect(killed.update(succeed(kind))).rejects.toThrow(Killed)

        const made: string[] = []
        const again = await open(name, (file) => made.push(file))
        const isCommitted = files > 1
        expect(again.hierarchy().revision).toBe(isCommitted ? 2 : 1)
        expect(statesIn(again.hierarchy())[`${kind}-2`]).toBe(isCommitted ? 'introduced' : undefined)
        verifyHierarchy(again.hierarchy())
        const anchors = await readFile(data.file('public/root.crt'), 'utf8')
        expect(anchors).toBe(
          again
            .current()
            .roots.map(({ certificate }) => certificate.pem)
            .join(''),
        )
        // And the rotation can be done, or be finished.
        if (!isCommitted) expect(await again.update(succeed(kind))).toMatchObject({ ok: true })
        expect(
          await again.update(async (hierarchy) => activated(`${kind}-2`, hierarchy, wish)),
        ).toMatchObject({
          ok: true,
        })
        expect((await open(name)).hierarchy().revision).toBe(3)
      }
    },
  )
})

describe('a hierarchy whose parts do not belong together', () => {
  it('is neither opened nor written', async () => {
    const authorities = await open('parts')
    await authorities.update(succeed('root'))
    const sound = authorities.hierarchy()
    const file = await readFile(data.file('ca/authorities.json'), 'utf8')
    const other = (await open('other')).hierarchy()
    const swap = (id: string, change: Partial<Hierarchy['members'][number]>): Hierarchy => ({
      ...sound,
      revision: sound.revision + 1,
      members: sound.members.map((member) => (member.id === id ? { ...member, ...change } : member)),
    })
    const foreign = other.members.find(({ id }) => id === 'devices')
    if (!foreign?.certificate) throw new Error('there is a devices CA')
    const { certificate, publicKey } = foreign
    const cases: [Hierarchy, RegExp][] = [
      [swap('devices', { certificate, publicKey }), /devices: it is not signed by the root/],
      [swap('devices', { publicKey }), /devices: its certificate has another key/],
      [swap('devices', { state: 'retiring' }), /devices: 0 CAs are issuing, it must be one/],
      [swap('root-2', { state: 'issuing' }), /root: 2 CAs are issuing/],
      [swap('root', { cross: [certificate] }), /root: a cross certificate is that of another CA/],
      [swap('root-2', { state: 'retired', cross: [] }), /signed by no root that is trusted/],
      [swap('devices', { id: 'services' }), /CAs are issuing|there twice/],
    ]
    for (const [hierarchy, message] of cases) {
      expect(() => verifyHierarchy(hierarchy)).toThrow(message)
      const damaged = await open('parts')
      await expect(
        damaged.update(async () => ({ ok: true, changed: true, id: 'devices', hierarchy })),
      ).rejects.toThrow(message)
      expect(await readFile(data.file('ca/authorities.json'), 'utf8')).toBe(file)
    }
  })
})

describe('two processes on one data directory', () => {
  it('see what the other one did, each with the keys that it needs', async () => {
    const first = await open('shared')
    const second = await open('shared')
    let told = 0
    second.onChange(() => {
      told += 1
    })
    await Promise.all([first.update(succeed('devices')), second.update(succeed('services'))])
    await Promise.all([first.refresh(), second.refresh()])
    for (const one of [first, second]) {
      expect([...one.current().issuers.keys()]).toEqual(['devices', 'devices-2', 'services', 'services-2'])
    }
    expect(first.current().revision).toBe(3)
    expect(told).toBeGreaterThan(0)
    const before = told
    await second.refresh()
    expect(told).toBe(before)
  })

  it('tell those who listen once more when it failed', async () => {
    const authorities = await open('failing')
    const heard: number[] = []
    authorities.onChange(({ revision }) => {
      heard.push(revision)
      if (heard.length === 1) throw new Error('the registry is busy')
    })
    await expect(authorities.update(succeed('devices'))).rejects.toThrow('the registry is busy')
    await authorities.refresh()
    await authorities.refresh()
    expect(heard).toEqual([2, 2])
  })
})
