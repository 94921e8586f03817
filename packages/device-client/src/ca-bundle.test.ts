import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { type CaBundle, fetchCaBundle, parseCaBundle } from './ca-bundle.ts'
import { type Authority, createAuthority } from './testing/authority.ts'
import { type EstResponder, startEstResponder } from './testing/est-responder.ts'

let authority: Authority
let server: EstResponder
let bundle: CaBundle

beforeAll(async () => {
  authority = await createAuthority()
  server = await startEstResponder(authority)
  const { root, devices, services } = authority
  bundle = {
    root: root.pem,
    issuers: { devices: [devices.certificate.pem], services: [services.certificate.pem] },
    trustDomain: 'fleet.test',
  }
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
    ['root is not a PEM certificate', () => JSON.stringify({ ...bundle, root: 'nonsense' })],
    ['issuers is not an object', () => JSON.stringify({ ...bundle, issuers: null })],
    [
      'issuers.devices is not a list of at least one certificate',
      () => JSON.stringify({ ...bundle, issuers: { ...bundle.issuers, devices: [] } }),
    ],
    [
      'issuers.services[0] is not a PEM certificate',
      () => JSON.stringify({ ...bundle, issuers: { ...bundle.issuers, services: [7] } }),
    ],
    ['trustDomain is not a name', () => JSON.stringify({ ...bundle, trustDomain: '' })],
  ])('is refused when %s', (problem, text) => {
    expect(() => parseCaBundle(text())).toThrow(
      expect.objectContaining({ code: 'response-invalid', message: expect.stringContaining(problem) }),
    )
  })
})
