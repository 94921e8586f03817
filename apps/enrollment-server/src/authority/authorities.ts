import type { KeyAlgorithm } from '@fleetroot/pki'
import type { DataDirectory } from '@fleetroot/service'
import type { Authority, IssuingAuthority, TrustedAuthority } from './authority.ts'
import { isIssuerId, issuerKinds, kindOf } from './ca-id.ts'
import { type CaFiles, caFiles, isKeyOf } from './ca-files.ts'
import { mismatch, openFirstGeneration } from './first-generation.ts'
import type { Changed } from './generation.ts'
import {
  currentFirst,
  hierarchyVersion,
  type Made,
  type ReadHierarchy,
  readHierarchy,
  writeCopies,
  writeHierarchy,
} from './hierarchy-file.ts'
import type { Hierarchy } from './hierarchy-record.ts'
import { openPassphrase } from './passphrase.ts'
import { isTrusted, type TrustedMember } from './verify.ts'

/** The CAs of a data directory, which this process and others change. */
export interface Authorities {
  /** As of the last look. */
  current(): Authority
  /** The same with what is not trusted, or not yet. */
  hierarchy(): Hierarchy
  /**
   * Looks whether another process changed something, and resolves when all who listen have followed. Costs one `stat`
   * where nothing changed.
   */
  refresh(): Promise<void>
  /** Is told every new state, one after the other, once more when it failed; `refresh` waits for it. */
  onChange(listener: (authority: Authority) => Promise<void> | void): void
  /**
   * Lets `decide` change the hierarchy as it is on the disk, while nobody else can, and commits what it decided in one
   * step. Keys that it needs it has written before it resolves.
   */
  update(decide: (hierarchy: Hierarchy, files: CaFiles) => Promise<Changed>): Promise<Changed>
}

/** The lock under which the server writes to its data directory. */
export const dataLock = 'enrollment-server'

/**
 * Opens the CAs in the data directory, and makes those of the first generation that are missing. Keys of issuing CAs
 * are opened, that of a root never.
 *
 * @throws {AuthorityError} when files are gone, do not open or do not belong together
 */
export async function openAuthorities(
  data: DataDirectory,
  options: {
    passphrase?: string | undefined
    passphraseFile?: string | undefined
    algorithm: KeyAlgorithm
    now: Date
    made: Made
  },
): Promise<Authorities> {
  const { algorithm, now, made } = options
  const opened = await data.locked(dataLock, async () => {
    const passphrase = await openPassphrase(data, options, made)
    const files = caFiles(data, { passphrase, algorithm, made })
    const existing = await readHierarchy(data)
    if (existing) await writeCopies(data, existing.hierarchy, made)
    else await writeHierarchy(data, await openFirstGeneration(data, files, now), made)
    return { files, read: existing ?? (await read()) }
  })
  const { files } = opened
  const listeners: ((authority: Authority) => Promise<void> | void)[] = []
  let { version } = opened.read
  let { hierarchy } = opened.read
  let authority = await snapshot(hierarchy, files)
  let last = Promise.resolve()

  async function read(): Promise<ReadHierarchy> {
    const found = await readHierarchy(data)
    if (found) return found
    throw mismatch('ca/', 'the server that runs on it: ca/authorities.json is gone')
  }

  async function look(): Promise<void> {
    if ((await hierarchyVersion(data)) === version) return
    const found = await read()
    authority = await snapshot(found.hierarchy, files, authority)
    hierarchy = found.hierarchy
    for (const listener of listeners) await listener(authority)
    // At the end: what failed is tried again with the next look.
    version = found.version
  }

  function refresh(): Promise<void> {
    const done = last.then(look)
    last = done.catch(() => undefined)
    return done
  }

  return {
    current: () => authority,
    hierarchy: () => hierarchy,
    refresh,
    onChange: (listener) => void listeners.push(listener),
    update: async (decide) => {
      const outcome = await data.locked(dataLock, async () => {
        const decided = await decide((await read()).hierarchy, files)
        if (decided.ok && decided.changed) await writeHierarchy(data, decided.hierarchy, made)
        return decided
      })
      // Not under the lock: who listens may need it.
      await refresh()
      return outcome
    },
  }
}

/** What is trusted, with the keys that issue; those of `before` are not opened again. */
async function snapshot(
  { revision, members }: Hierarchy,
  files: CaFiles,
  before?: Authority,
): Promise<Authority> {
  const trusted = currentFirst(members.filter(isTrusted))
  const roots = trusted.filter(({ id }) => kindOf(id) === 'root').map(trustedAuthority)
  const issuers = new Map<string, IssuingAuthority>()
  for (const kind of issuerKinds) {
    for (const member of trusted) {
      const { id, certificate } = member
      if (!isIssuerId(id) || kindOf(id) !== kind) continue
      const privateKey = before?.issuers.get(id)?.privateKey ?? (await files.openKey(id))
      if (!isKeyOf(certificate, privateKey)) throw mismatch(`ca/${id}.key`, `ca/${id}.crt`)
      issuers.set(id, { ...trustedAuthority(member), id, privateKey })
    }
  }
  return { revision, roots, issuers, keys: new Set(members.map(({ publicKey }) => publicKey)) }
}

function trustedAuthority(member: TrustedMember): TrustedAuthority {
  const { id, state, certificate, cross, introducedAtMs = 0, activatesAtMs } = member
  return {
    id,
    state,
    certificate,
    cross,
    introducedAtMs,
    ...(activatesAtMs !== undefined && { activatesAtMs }),
  }
}
