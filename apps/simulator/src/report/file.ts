import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { atomicWrite } from '@fleetroot/service'
import { SimulatorError } from '../error.ts'
import type { FleetReport } from './report.ts'

/**
 * Checks that a report can be written to `path` (relative to the working directory) before anything else is
 * done, and resolves with the absolute path. Throws SimulatorError `report-unwritable`.
 */
export async function checkReportFile(path: string): Promise<string> {
  const absolute = resolve(path)
  const directory = dirname(absolute)
  try {
    await access(directory, constants.W_OK | constants.X_OK)
    if (await isDirectory(absolute)) throw new Error('it is a directory')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? `there is no directory ${directory}`
        : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
          ? `the directory ${directory} is not writable`
          : message
    throw new SimulatorError('report-unwritable', `--report=${path} cannot be written: ${why}`, {
      cause: error,
    })
  }
  return absolute
}

/** Writes the report as a whole or not at all; readable by everybody, for it holds no secret. */
export async function writeReport(path: string, report: FleetReport): Promise<void> {
  await atomicWrite(path, `${JSON.stringify(report, undefined, 2)}\n`, 0o644)
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}
