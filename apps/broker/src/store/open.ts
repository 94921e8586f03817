import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeDirectory } from '@fleetroot/service'
import { ClassicLevel } from 'classic-level'
import { BrokerError } from '../error.ts'

/** LevelDB with binary keys and values. */
export type Database = ClassicLevel<Buffer, Buffer>

const format = Buffer.from('1')
const formatKey = Buffer.from('v')

/**
 * Opens the store in a directory, made if it is missing. Throws BrokerError
 * - `store-locked` when another process has it open;
 * - `store-corrupt` when it is damaged or of another version: what it holds was promised to clients, so that nobody but
 *   the operator may decide to go on without it;
 * - `store-failed` when the disk is full or the directory cannot be used.
 */
export async function openDatabase(directory: string): Promise<Database> {
  await makeDirectory(directory).catch((cause: unknown) => {
    throw new BrokerError('store-failed', `cannot use the store ${directory}: ${reasonOf(cause)}`, { cause })
  })
  // LevelDB begins anew where its CURRENT is missing, and would delete what it then takes for left-overs. It is looked
  // for after the tables: another broker that makes the store at this moment writes it before the first of them.
  if ((await holdsTables(directory)) && !existsSync(`${directory}/CURRENT`)) throw corrupt(directory)
  const database: Database = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    // Most entries are deleted within milliseconds: the larger the buffer, the fewer of them are written twice.
    writeBufferSize: 32 * 1024 * 1024,
    // No `paranoid_checks` in classic-level: a damaged end of the log is what a kill leaves, and is cut off.
  })
  try {
    await database.open()
  } catch (error) {
    throw explain(directory, error)
  }
  try {
    const found = await database.get(formatKey)
    if (found === undefined)
      await database.batch([{ type: 'put', key: formatKey, value: format }], { sync: true })
    else if (!found.equals(format))
      throw corrupt(directory, `its format is ${found.toString()}, not ${format.toString()}`)
  } catch (error) {
    await database.close()
    throw explain(directory, error)
  }
  return database
}

async function holdsTables(directory: string): Promise<boolean> {
  return (await readdir(directory)).some((name) => /\.(ldb|sst|log)$/.test(name))
}

function explain(directory: string, error: unknown): BrokerError {
  if (error instanceof BrokerError) return error
  const cause = (error as { cause?: { code?: string } }).cause ?? error
  const code = (cause as { code?: string }).code
  if (code === 'LEVEL_LOCKED') {
    return new BrokerError(
      'store-locked',
      `another broker uses the store ${directory}; give this one its own with --store-path`,
      { cause },
    )
  }
  if (code === 'LEVEL_CORRUPTION' || /corrupt|MANIFEST.*No such file/i.test(reasonOf(cause)))
    return corrupt(directory, reasonOf(cause), cause)
  return new BrokerError('store-failed', `cannot open the store ${directory}: ${reasonOf(cause)}`, { cause })
}

/** Also for what does not make sense inside. */
export function corrupt(directory: string, detail = 'files are missing', cause?: unknown): BrokerError {
  return new BrokerError(
    'store-corrupt',
    `the store ${directory} is damaged (${detail}); restore it from a backup, or, giving up the sessions, queues and ` +
      `retained messages in it, move it out of ${dirname(directory)}`,
    { cause },
  )
}

function reasonOf(error: unknown): string {
  return (error as Error).message
}
