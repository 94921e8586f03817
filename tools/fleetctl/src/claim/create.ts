import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  createCsr,
  exportPrivateKey,
  generateKeyPair,
  importPrivateKey,
  PkiError,
  toPem,
} from '@fleetroot/pki'
import { atomicWrite, makeDirectory } from '@fleetroot/service'
import type { Run } from '../command/command.ts'
import type { Input } from '../command/input.ts'
import { countOf, deviceIdOf, secondsOf } from '../command/values.ts'
import { FleetctlError, usageError } from '../error.ts'
import { writeNew } from '../file/write-new.ts'
import { type Claim, claimAnswer } from './claim.ts'

export const createClaim: Run = async (input, context) => {
  const id = deviceIdOf(input.args[0])
  const batch = needed(input.text('batch'), '--batch is missing: the batch that devices were registered with')
  const quota = needed(countOf(input, 'quota'), '--quota is missing: how many devices may enroll with it')
  const expiresInSeconds = await secondsOf(input, 'expires')
  const directory = input.text('out') === undefined ? undefined : resolve(input.text('out') ?? '')
  checkPlaces(input, directory)

  const server = await context.server()
  const key = directory === undefined || input.text('csr') !== undefined ? undefined : await keyIn(directory)
  const csr = await readCsr(input, id, key?.pem)
  const body = { id, batch, quota, csr, ...(expiresInSeconds !== undefined && { expiresInSeconds }) }
  const what = `cannot make the claim ${id}`
  const claim = await server.call<Claim>(what, {
    method: 'POST',
    path: '/v1/claims',
    body,
    once: true,
  })

  const chain = [claim.certificate ?? '', ...(claim.chain ?? [])].join('')
  if (directory === undefined) return { kind: 'text', json: claim, text: chain.trimEnd() }
  const certificateFile = join(await makeDirectory(directory), 'cert.pem')
  await atomicWrite(certificateFile, chain)
  return claimAnswer(claim, [...(key ? [key.file] : []), certificateFile])
}

function needed<Value>(value: Value | undefined, message: string): Value {
  if (value === undefined) throw usageError(message)
  return value
}

function checkPlaces(input: Input, directory: string | undefined): void {
  if (directory === undefined && input.text('csr') === undefined) {
    throw usageError('--out is missing: the directory for the key, which is made here (or give --csr)')
  }
  const certificate = directory === undefined ? undefined : join(directory, 'cert.pem')
  if (certificate !== undefined && existsSync(certificate)) {
    throw new FleetctlError('file-unusable', `${certificate} exists already: choose another --out`)
  }
}

/** The key in the directory, made if there is none: what an interrupted run left there is used again. */
async function keyIn(directory: string): Promise<{ file: string; pem: string }> {
  const file = join(await makeDirectory(directory), 'key.pem')
  if (existsSync(file)) return { file, pem: await readOwn(file) }
  const pem = exportPrivateKey(generateKeyPair('P-256').privateKey)
  await writeNew(file, pem)
  return { file, pem }
}

/** Somebody else who put a key there, or has read it, would have the claim. */
async function readOwn(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { mode, uid } = await file.stat()
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0)
    if (isOwn) return await file.readFile('utf8')
    const why = `mode ${(mode & 0o777).toString(8)}, owner ${uid}`
    throw new FleetctlError(
      'file-unusable',
      `${path} was there before, and others may know it (${why}): choose another --out, or chmod 600 it if it is yours alone`,
    )
  } finally {
    await file.close()
  }
}

/** PEM: of the key here, or as it was given. */
async function readCsr(input: Input, commonName: string, key: string | undefined): Promise<string> {
  const path = input.text('csr')
  if (path !== undefined) {
    const content = await readFile(path)
    return content[0] === 0x30 ? toPem('CERTIFICATE REQUEST', content) : content.toString('utf8')
  }
  try {
    return toPem('CERTIFICATE REQUEST', createCsr({ privateKey: importPrivateKey(key ?? ''), commonName }))
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    throw new FleetctlError('file-unusable', `key.pem: ${error.message}`, { cause: error })
  }
}
