import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningProcess, startProgram } from '@fleetroot/harness'
import type { Fleet } from '../fleet.ts'
import { type Answer, run } from '../run.ts'

/** A device that runs the C example. */
export interface FirmwareDevice {
  readonly id: string
  /** The folder of its identity. */
  readonly store: string
  /** Runs steps to their end. Options stand before them. */
  run(...words: string[]): Promise<Answer>
  /** Starts steps that take their time; the caller stops it. */
  start(...words: string[]): RunningProcess
  /** A file of its store as text. */
  read(file: string): string
  /** Replaces a file of its store. */
  write(file: string, text: string): void
}

/** Registers a device and puts its token where the program reads it. */
export async function firmwareDevice(
  fleet: Fleet,
  program: string,
  id: string,
  env: Record<string, string> = {},
): Promise<FirmwareDevice> {
  const tokenFile = fleet.file(`${id}.token`)
  writeFileSync(tokenFile, `${await fleet.admin.token(id)}\n`)
  const store = fleet.file(`${id}.store`)
  const options = [
    `--id=${id}`,
    `--root=${fleet.root}`,
    `--store=${store}`,
    `--token-file=${tokenFile}`,
    `--est=localhost:${fleet.enrollment.port}`,
    `--broker=localhost:${fleet.broker.port}`,
  ]
  return {
    id,
    store,
    run: (...words) => run(program, [...options, ...words], { env }),
    start: (...words) => startProgram(`firmware ${id}`, program, [...options, ...words], env),
    read: (file) => readFileSync(join(store, file), 'utf8'),
    write: (file, text) => writeFileSync(join(store, file), text),
  }
}
