import { parseCertificate } from '@fleetroot/pki'
import { clientTlsOptions, type TlsMode } from '@fleetroot/tls-config'

import { DeviceClientError } from './error.ts'
import { httpsServer } from './https/exchange.ts'
import { refusal } from './https/refusal.ts'
import { parseServerUrl } from './https/url.ts'

/** Which CA issues for whom, as the enrollment server tells it at `/v1/ca`. All certificates are PEM. */
export interface CaBundle {
  root: string
  issuers: { devices: string[]; services: string[] }
  trustDomain: string
}

/** Options of `fetchCaBundle`. */
export interface CaBundleOptions {
  /** `https://host[:443]` of the enrollment server. */
  url: string
  /** Trust anchors for the server's TLS certificate, PEM. */
  trust: readonly string[]
  mode?: TlsMode
  serverName?: string
  /** Default 30,000. */
  timeoutMs?: number
}

/**
 * Fetches `/v1/ca`. The answer is as trustworthy as the TLS connection: the caller still checks that the
 * issuing CAs chain to the root that it pinned.
 *
 * Throws DeviceClientError as `EstClient` does; `response-invalid` names the member that is wrong.
 */
export async function fetchCaBundle(options: CaBundleOptions): Promise<CaBundle> {
  const { trust, mode = 'compatible', serverName, timeoutMs = 30_000 } = options
  const url = parseServerUrl(options.url, ['https:'])
  const tls = clientTlsOptions({ trust, mode, ...(serverName === undefined ? {} : { serverName }) })
  const server = httpsServer(url, tls, { timeoutMs, maxResponseBytes: 256 * 1024 })
  try {
    const answer = await server.send({
      method: 'GET',
      path: '/v1/ca',
      headers: { accept: 'application/json' },
    })
    if (answer.status !== 200) throw refusal(answer, 'GET /v1/ca', new Date())
    return parseCaBundle(answer.body.toString('utf8'))
  } finally {
    server.close()
  }
}

/** Reads the JSON of `/v1/ca`, also from a copy on disk. Throws DeviceClientError `response-invalid`. */
export function parseCaBundle(text: string): CaBundle {
  const bundle = record(parseJson(text), 'the CA bundle')
  const issuers = record(bundle['issuers'], 'issuers')
  const { trustDomain } = bundle
  if (typeof trustDomain !== 'string' || trustDomain === '') throw invalid('trustDomain is not a name')
  return {
    root: certificate(bundle['root'], 'root'),
    issuers: {
      devices: certificates(issuers['devices'], 'issuers.devices'),
      services: certificates(issuers['services'], 'issuers.services'),
    },
    trustDomain,
  }
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

function certificates(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || value.length === 0)
    throw invalid(`${name} is not a list of at least one certificate`)
  return value.map((pem, at) => certificate(pem, `${name}[${at}]`))
}

function certificate(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalid(`${name} is not a PEM certificate`)
  try {
    return parseCertificate(value).pem
  } catch (error) {
    throw new DeviceClientError('response-invalid', `the CA bundle: ${name} is not a PEM certificate`, {
      cause: error,
    })
  }
}

function invalid(problem: string): DeviceClientError {
  return new DeviceClientError('response-invalid', `the CA bundle: ${problem}`)
}
