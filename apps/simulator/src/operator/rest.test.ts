import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseDeviceId } from '@fleetroot/pki'
import { clientTlsOptions } from '@fleetroot/tls-config'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { json, startRestServer } from '../testing/rest-server.ts'
import { deviceRegistry } from './registry.ts'
import { createRestClient } from './rest.ts'

const id = parseDeviceId('device-0001')
let authority: Authority
const closers: (() => void)[] = []

beforeAll(async () => {
  authority = await createAuthority()
})
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function setUp(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  clientAuthority = authority,
) {
  const server = await startRestServer(authority, answer)
  const identity = await clientAuthority.issue('operator', 'operator')
  const tls = clientTlsOptions({ trust: clientAuthority.trust, identity, mode: 'compatible' })
  const rest = createRestClient({ url: server.url, tls, connections: 2 })
  closers.push(
    () => rest.close(),
    () => server.close(),
  )
  return { server, rest, registry: deviceRegistry(rest) }
}

describe('the device registry over REST', () => {
  test('registers, and takes a device that exists for what it is', async () => {
    let known = false
    const { registry } = await setUp((_, response) => {
      if (known) return json(response, 409, { code: 'device-exists', detail: 'id: it exists' })
      known = true
      return json(response, 201, { id })
    })
    expect(await registry.register(id)).toBe(true)
    expect(await registry.register(id)).toBe(false)
  })

  test('makes tokens', async () => {
    const { registry, server } = await setUp((_, response) => json(response, 201, { token: 'secret' }))
    expect(await registry.makeToken(id, 60)).toBe('secret')
    expect(server.requests).toEqual(['POST /v1/devices/device-0001/tokens'])
  })

  test('passes the reason of a refusal on, with its code', async () => {
    const { registry } = await setUp((_, response) =>
      json(response, 403, { code: 'operator-required', detail: 'a device may not register devices' }),
    )
    await expect(registry.register(id)).rejects.toMatchObject({
      code: 'operator-refused',
      message: 'cannot register device-0001: a device may not register devices (operator-required)',
    })
  })

  test('takes no conflict but that one for success, and no token from a body without one', async () => {
    const { registry } = await setUp((request, response) =>
      request.url === '/v1/devices' ? json(response, 409, { code: 'other' }) : json(response, 201, {}),
    )
    await expect(registry.register(id)).rejects.toMatchObject({ code: 'operator-refused' })
    await expect(registry.makeToken(id, 60)).rejects.toMatchObject({ code: 'operator-refused' })
  })
})

describe('the REST client', () => {
  test('keeps its connections: a hundred calls on two of them', async () => {
    const { rest, server } = await setUp((_, response) => json(response, 200, {}))
    await Promise.all(Array.from({ length: 100 }, () => rest.call('GET', '/')))
    expect(server.requests).toHaveLength(100)
    expect(server.connections).toBe(2)
  })

  test('comes back when a busy server has had its time', async () => {
    let calls = 0
    const { rest } = await setUp((_, response) =>
      ++calls < 3
        ? json(response, 429, { code: 'rate-limited' }, { 'retry-after': '0' })
        : json(response, 200, { calls }),
    )
    expect(await rest.call('GET', '/')).toMatchObject({ status: 200, body: { calls: 3 } })
  })

  test('asks again when the server hangs up', async () => {
    let calls = 0
    const { rest } = await setUp((request, response) => {
      if (++calls < 3) request.socket.destroy()
      else json(response, 200, {})
    })
    expect(await rest.call('GET', '/')).toMatchObject({ status: 200 })
  })

  test('explains a server that another authority vouches for', async () => {
    const { rest } = await setUp((_, response) => json(response, 200, {}), await createAuthority())
    await expect(rest.call('GET', '/')).rejects.toMatchObject({
      code: 'operator-refused',
      message: expect.stringMatching(
        /^https:\S+: The server 127\.0\.0\.1's certificate does not lead to a CA/,
      ),
    })
  })

  test('explains a server that is not there', async () => {
    const { rest, server } = await setUp((_, response) => json(response, 200, {}))
    server.close()
    await expect(rest.call('GET', '/')).rejects.toMatchObject({ code: 'operator-refused' })
  })
})
