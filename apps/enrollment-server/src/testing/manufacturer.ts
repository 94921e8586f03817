import { type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportPrivateKey, type KeyAlgorithm, generateKeyPair, toPem } from '@fleetroot/pki'
import { der } from './raw-csr.ts'
import type { Identity } from './request.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')
const printable = (text: string): Buffer => der(0x13, Buffer.from(text))
const rdn = (oid: string, value: Buffer): Buffer => der(0x31, der(0x30, hex(oid), value))
const extension = (oid: string, critical: boolean, value: Buffer): Buffer =>
  der(0x30, hex(oid), ...(critical ? [hex('0101ff')] : []), der(0x04, value))
const time = (text: string): Buffer =>
  text.length > 13 ? der(0x18, Buffer.from(text)) : der(0x17, Buffer.from(text))

/** How a certificate of a factory differs from a good one. */
export interface FactoryOptions {
  readonly serialNumber?: string
  readonly commonName?: string
  /** 99991231235959Z, as IEEE 802.1AR wants it, unless it is given. */
  readonly notAfter?: string
  readonly notBefore?: string
  readonly pathLength?: number
  /** DER of the KeyUsage; `undefined` leaves it out. */
  readonly keyUsage?: string | undefined
  readonly isCa?: boolean
  readonly keyAlgorithm?: KeyAlgorithm
  /** DER of an Extension more. */
  readonly more?: Buffer
}

/** A CA of a manufacturer, or a device of its with what it has from the factory. */
export interface FactoryIdentity extends Identity {
  readonly name: Buffer
  readonly privateKey: KeyObject
  readonly pem: string
}

let serial = 1

/** Makes a certificate that no program of this project would: by the rules of a manufacturer, or against them. */
export function factoryCertificate(
  issuer: FactoryIdentity | undefined,
  options: FactoryOptions,
): FactoryIdentity {
  const { isCa = false, keyUsage = isCa ? '03020106' : '03020780', keyAlgorithm = 'P-256' } = options
  const { privateKey, publicKey } = generateKeyPair(keyAlgorithm)
  const name = der(
    0x30,
    rdn('060355040a', printable('Acme')),
    ...(options.commonName === undefined ? [] : [rdn('0603550403', printable(options.commonName))]),
    ...(options.serialNumber === undefined ? [] : [rdn('0603550405', printable(options.serialNumber))]),
  )
  const constraints =
    options.pathLength === undefined
      ? hex('30030101ff')
      : der(0x30, hex('0101ff0201'), Buffer.from([options.pathLength]))
  const extensions = der(
    0xa3,
    der(
      0x30,
      ...(isCa ? [extension('0603551d13', true, constraints)] : []),
      ...('keyUsage' in options && options.keyUsage === undefined
        ? []
        : [extension('0603551d0f', true, hex(keyUsage))]),
      ...(options.more ? [options.more] : []),
    ),
  )
  const ecdsa = hex('300a06082a8648ce3d040302')
  const number = (serial += 1)
  const tbs = der(
    0x30,
    hex('a003020102'),
    der(0x02, Buffer.from([0x40, number >> 8, number & 0xff])),
    ecdsa,
    issuer?.name ?? name,
    der(0x30, time(options.notBefore ?? '200101000000Z'), time(options.notAfter ?? '99991231235959Z')),
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
    extensions,
  )
  const signature = sign('sha256', tbs, issuer?.privateKey ?? privateKey)
  const pem = toPem('CERTIFICATE', der(0x30, tbs, ecdsa, der(0x03, Buffer.from([0]), signature)))
  return { name, privateKey, pem, key: exportPrivateKey(privateKey), cert: pem }
}

/** A critical extension that nobody knows. */
export const unknownCritical = extension('06032a0304', true, hex('0500'))

/** The extKeyUsage of a server. */
export const serverOnly = extension('0603551d25', false, hex('300a06082b06010505070301'))

/** The extKeyUsage for everything. */
export const anyPurpose = extension('0603551d25', false, hex('30060604551d2500'))

/** A manufacturer with a root and an issuing CA, and the file with its root. */
export function openFactory(name: string): {
  readonly root: FactoryIdentity
  readonly issuing: FactoryIdentity
  readonly trust: string
  /** A device as it leaves the factory: its certificate, and the issuing CA's. */
  device(options: FactoryOptions, issuer?: FactoryIdentity): Identity
  close(): void
} {
  const root = factoryCertificate(undefined, { commonName: `${name} Root`, isCa: true })
  const issuing = factoryCertificate(root, { commonName: `${name} Devices`, isCa: true, pathLength: 0 })
  const folder = mkdtempSync(join(tmpdir(), 'fleetroot-factory-'))
  const trust = join(folder, `${name}.pem`)
  writeFileSync(trust, root.pem)
  return {
    root,
    issuing,
    trust,
    device: (options, issuer = issuing) => {
      const { key, pem } = factoryCertificate(issuer, options)
      return { key, cert: pem + (issuer === root ? '' : issuer.pem) }
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}
