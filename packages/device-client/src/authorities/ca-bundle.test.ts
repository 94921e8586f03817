import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type CaBundle, parseCaBundle } from './ca-bundle.ts'
import { fetchCaBundle } from './fetch.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { bundleOf } from '../testing/bundle.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'

let authority: Authority
let server: EstResponder
let bundle: CaBundle

beforeAll(async () => {
  authority = await createAuthority()
  server = await startEstResponder(authority)
  bundle = bundleOf(authority)
})

afterAll(async () => {
  await server.close()
})

describe('the CA bundle', () => {
  it('is fetched from a verified server', async () => {
    let path: string | undefined
    server.instead.push((request, response) => {
      path = request.url
      response.end(JSON.stringify(bundle))
    })
    await expect(fetchCaBundle({ url: server.url, trust: authority.trust })).resolves.toEqual(bundle)
    expect(path).toBe('/v1/ca')
  })

  it('is not fetched from a server of another CA', async () => {
    const { trust } = await createAuthority()
    await expect(fetchCaBundle({ url: server.url, trust })).rejects.toMatchObject({ code: 'tls-failed' })
  })

  it('says why the server refuses it', async () => {
    server.instead.push((_, response) => {
      response.writeHead(503, { 'content-type': 'text/plain', 'retry-after': '3' }).end('starting')
    })
    await expect(fetchCaBundle({ url: server.url, trust: authority.trust })).rejects.toMatchObject({
      code: 'server-failed',
      retryAfterMs: 3000,
      message: 'GET /v1/ca failed (503): starting',
    })
  })

  it.each([
    ['is not JSON', () => '<html>'],
    ['the CA bundle is not an object', () => '[]'],
    ['root is not a PEM certificate', () => changed({ root: 'nonsense' })],
    ['issuers is not an object', () => changed({ issuers: null })],
    [
      'issuers.devices is not a list of at least one certificate',
      () => changed({ issuers: { ...bundle.issuers, devices: [] } }),
    ],
    [
      'issuers.services[0] is not a PEM certificate',
      () => changed({ issuers: { ...bundle.issuers, services: [7] } }),
    ],
    ['trustDomain is not a name', () => changed({ trustDomain: '' })],
    ['roots is not a list', () => changed({ roots: undefined })],
    ['roots does not begin with root', () => changed({ roots: bundle.issuers.devices })],
    ['cross[0] is not a PEM certificate', () => changed({ cross: ['x'] })],
    ['authorities is not a list', () => changed({ authorities: {} })],
    ['authorities[1].id is not the id of a CA of its kind', () => withDevices({ id: 'services-2' })],
    ['authorities[1].id is not the id of a CA of its kind', () => withDevices({ id: 'devices-0' })],
    ['authorities[1].id is not a text', () => withDevices({ id: 2 })],
    ['authorities[1].state is none of', () => withDevices({ state: 'retired' })],
    ['authorities[1].subjectKeyId is not that of', () => withDevices({ subjectKeyId: '00' })],
    ['authorities[1].notAfter is not a time', () => withDevices({ notAfter: 'soon' })],
    ['authorities has not exactly one CA of the kind devices', () => withDevices({ state: 'retiring' })],
    [
      'authorities has devices twice',
      () => changed({ authorities: [...bundle.authorities, bundle.authorities[1]] }),
    ],
    [
      'authorities does not list the CAs of issuers.devices',
      () => changed({ issuers: { ...bundle.issuers, devices: bundle.issuers.services } }),
    ],
  ])('is refused when %s', (problem, text) => {
    expect(() => parseCaBundle(text())).toThrow(
      expect.objectContaining({ code: 'response-invalid', message: expect.stringContaining(problem) }),
    )
  })
})

function changed(change: object): string {
  return JSON.stringify({ ...bundle, ...change })
}

/** The bundle with another entry for its CA for devices. */
function withDevices(change: object): string {
  const authorities = bundle.authorities.map((entry) =>
    entry.kind === 'devices' ? { ...entry, ...change } : entry,
  )
  return changed({ authorities })
}
