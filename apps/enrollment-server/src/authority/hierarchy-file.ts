import { readFile, stat } from 'node:fs/promises'
import { type DataDirectory, makeDirectory } from '@fleetroot/service'
import { AuthorityError } from './authority-error.ts'
import { kindOf } from './ca-id.ts'
import { decodeHierarchy, encodeHierarchy, type Hierarchy } from './hierarchy-record.ts'
import { readKeptFile } from './kept-file.ts'
import { isTrusted, type TrustedMember, verifyHierarchy } from './verify.ts'

const path = 'ca/authorities.json'

/** Told every file that is written, and why, where that is not plain. */
export type Made = (file: string, why?: string) => void

/** The hierarchy and which file it was read from: another name for it says that the file was replaced. */
export interface ReadHierarchy {
  readonly hierarchy: Hierarchy
  readonly version: string
}

/**
 * Reads `ca/authorities.json` and proves that it is whole; undefined where there is none.
 * @throws {AuthorityError} `file-damaged`, `file-exposed` or `mismatch`
 */
export async function readHierarchy(data: DataDirectory): Promise<ReadHierarchy | undefined> {
  // Before the content: what is replaced in between is then read once more.
  const version = await hierarchyVersion(data)
  if (version === undefined) return undefined
  const file = data.file(path)
  const text = await readKeptFile(file, (content) => content, { damaged: restore, secret: true })
  let hierarchy: Hierarchy
  try {
    hierarchy = decodeHierarchy(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AuthorityError('file-damaged', `${file} is damaged (${reason}): ${restore}`, { cause: error })
  }
  verifyHierarchy(hierarchy)
  return { hierarchy, version }
}

const restore = 'restore ca/ from a backup, all of it'

/** Changes whenever the file is replaced; undefined where there is none. */
export async function hierarchyVersion(data: DataDirectory): Promise<string | undefined> {
  try {
    const { ino, mtimeNs, size } = await stat(data.file(path), { bigint: true })
    return `${ino} ${mtimeNs} ${size}`
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Replaces `ca/authorities.json`: before this the change has not happened, after it it has. The keys that it names
 * must be on the disk. Then come the copies, see {@link writeCopies}. The caller holds the lock.
 */
export async function writeHierarchy(data: DataDirectory, hierarchy: Hierarchy, made: Made): Promise<void> {
  verifyHierarchy(hierarchy)
  await data.write(path, encodeHierarchy(hierarchy))
  made(path)
  await writeCopies(data, hierarchy, made)
}

/**
 * Brings `ca/<id>.crt` and `public/root.crt` up to date: copies for people and other programs, which a kill may leave
 * behind and the next start brings along. The trust anchors are for everybody, in the one place that others may read.
 */
export async function writeCopies(data: DataDirectory, { members }: Hierarchy, made: Made): Promise<void> {
  const trusted = members.filter(isTrusted)
  const copy = async (file: string, text: string, mode?: number): Promise<void> => {
    const before = await readFile(data.file(file), 'utf8').catch(() => undefined)
    if (before === text) return
    await data.write(file, text, mode)
    made(file)
  }
  for (const { id, certificate } of trusted) await copy(`ca/${id}.crt`, certificate.pem)
  const roots = trusted.filter(({ id }) => kindOf(id) === 'root')
  await makeDirectory(data.file('public'), 0o755)
  const anchors = currentFirst(roots).map(({ certificate }) => certificate.pem)
  await copy('public/root.crt', anchors.join(''), 0o644)
}

const order = ['issuing', 'introduced', 'retiring']

/** The issuing one first, then introduced, then retiring ones, the newest of these first. */
export function currentFirst(members: readonly TrustedMember[]): TrustedMember[] {
  return members.toReversed().toSorted((one, other) => order.indexOf(one.state) - order.indexOf(other.state))
}
