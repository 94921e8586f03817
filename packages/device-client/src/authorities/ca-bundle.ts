import { type Certificate, parseCertificate } from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'

/** What a CA signs: the CAs below it, devices, or services. */
export type AuthorityKind = 'root' | 'devices' | 'services'

/**
 * Where a CA is in its life: `introduced` is trusted and does not sign leaves yet, `issuing` signs them, one of
 * each kind, `retiring` is still trusted and still signs its revocation list.
 */
export type AuthorityState = 'introduced' | 'issuing' | 'retiring'

/** One CA that is trusted, whatever certificates it has. */
export interface CaAuthority {
  /** `devices`, then `devices-2`, …: names its revocation list `/crl/<id>.crl`, and it in events. */
  id: string
  kind: AuthorityKind
  state: AuthorityState
  /** Lower-case hex. */
  subjectKeyId: string
  /** ISO 8601. */
  notBefore: string
  notAfter: string
  /** PEM, below the current root. */
  certificate: string
}

/**
 * Which CA issues for whom, as the enrollment server tells it at `/v1/ca`. All certificates are PEM. Nothing in it is
 * proven but by the connection that it came over.
 */
export interface CaBundle {
  /** The current root: the first of `roots`. */
  root: string
  /** All roots that are trusted. */
  roots: string[]
  /** Roots and issuing CAs as signed by another trusted root (RFC 4210 section 4.4). */
  cross: string[]
  issuers: { devices: string[]; services: string[] }
  authorities: CaAuthority[]
  trustDomain: string
}

const kinds: readonly AuthorityKind[] = ['root', 'devices', 'services']
const states: readonly AuthorityState[] = ['introduced', 'issuing', 'retiring']
/** The kind, and the generation from the second on. */
const idPattern = /^(root|devices|services)(-[1-9]\d{0,5})?$/

/**
 * Reads the JSON of `/v1/ca`, also from a copy on disk. Refuses, with DeviceClientError `response-invalid` that
 * names the member, what is incomplete or contradicts itself: a CA without its entry in `authorities`, or an entry
 * without its CA.
 */
export function parseCaBundle(text: string): CaBundle {
  const bundle = record(parseJson(text), 'the CA bundle')
  const issuers = record(bundle['issuers'], 'issuers')
  const { trustDomain } = bundle
  if (typeof trustDomain !== 'string' || trustDomain === '') throw invalid('trustDomain is not a name')
  const parsed = {
    root: certificate(bundle['root'], 'root').pem,
    roots: certificates(bundle['roots'], 'roots'),
    cross: list(bundle['cross'], 'cross').map((pem, at) => certificate(pem, `cross[${at}]`).pem),
    issuers: {
      devices: certificates(issuers['devices'], 'issuers.devices'),
      services: certificates(issuers['services'], 'issuers.services'),
    },
    authorities: list(bundle['authorities'], 'authorities').map(authority),
    trustDomain,
  }
  checkAgreement(parsed)
  return parsed
}

function authority(value: unknown, at: number): CaAuthority {
  const name = `authorities[${at}]`
  const entry = record(value, name)
  const { id, notBefore, notAfter, subjectKeyId } = entry
  const kind = kinds.find((known) => known === entry['kind'])
  const state = states.find((known) => known === entry['state'])
  if (typeof id !== 'string') throw invalid(`${name}.id is not a text`)
  const [, kindOfId] = idPattern.exec(id) ?? []
  if (kind === undefined || kindOfId !== kind) throw invalid(`${name}.id is not the id of a CA of its kind`)
  if (state === undefined) throw invalid(`${name}.state is none of ${states.join(', ')}`)
  const own = certificate(entry['certificate'], `${name}.certificate`)
  if (typeof subjectKeyId !== 'string' || own.subjectKeyId !== subjectKeyId)
    throw invalid(`${name}.subjectKeyId is not that of its certificate`)
  if (!isTime(notBefore)) throw invalid(`${name}.notBefore is not a time`)
  if (!isTime(notAfter)) throw invalid(`${name}.notAfter is not a time`)
  return { id, kind, state, subjectKeyId, notBefore, notAfter, certificate: own.pem }
}

function checkAgreement({ root, roots, issuers, authorities }: CaBundle): void {
  if (roots[0] !== root) throw invalid('roots does not begin with root')
  const ids = authorities.map(({ id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined) throw invalid(`authorities has ${twice} twice`)
  const lists = { root: roots, devices: issuers.devices, services: issuers.services }
  for (const kind of kinds) {
    const entries = authorities.filter((entry) => entry.kind === kind)
    if (entries.filter(({ state }) => state === 'issuing').length !== 1)
      throw invalid(`authorities has not exactly one CA of the kind ${kind} that is issuing`)
    const name = kind === 'root' ? 'roots' : `issuers.${kind}`
    const keys = new Set(lists[kind].map((pem) => parseCertificate(pem).subjectKeyId))
    const isEqual =
      keys.size === entries.length && entries.every(({ subjectKeyId }) => keys.has(subjectKeyId))
    if (!isEqual) throw invalid(`authorities does not list the CAs of ${name}`)
  }
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DeviceClientError('response-invalid', 'the CA bundle is not JSON', { cause: error })
  }
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${name} is not an object`)
  return value as Record<string, unknown>
}

function list(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw invalid(`${name} is not a list`)
  return value
}

function certificates(value: unknown, name: string): string[] {
  const found = list(value, name)
  if (found.length === 0) throw invalid(`${name} is not a list of at least one certificate`)
  return found.map((pem, at) => certificate(pem, `${name}[${at}]`).pem)
}

function certificate(value: unknown, name: string): Certificate {
  if (typeof value !== 'string') throw invalid(`${name} is not a PEM certificate`)
  try {
    return parseCertificate(value)
  } catch (error) {
    throw new DeviceClientError('response-invalid', `the CA bundle: ${name} is not a PEM certificate`, {
      cause: error,
    })
  }
}

function invalid(problem: string): DeviceClientError {
  return new DeviceClientError('response-invalid', `the CA bundle: ${problem}`)
}
