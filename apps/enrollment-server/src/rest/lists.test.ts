import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
  for (const id of ['b', 'd', 'f', 'h']) await command(testbed, '/v1/devices', { id: `list-${id}` })
})
afterAll(() => testbed.close())

const get = (path: string, headers: Record<string, string> = {}) =>
  testbed.request(path, { identity: testbed.operator, headers })

describe('a list', () => {
  it('goes on where it was, whatever is added meanwhile: nothing twice, nothing left out', async () => {
    const seen: string[] = []
    let cursor: string | undefined
    for (const added of ['a', 'c', 'e', 'z', 'x', 'y']) {
      const { json } = await get(`/v1/devices?limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`)
      seen.push(...(json['items'] as { id: string }[]).map(({ id }) => id))
      cursor = json['nextCursor'] as string | undefined
      if (cursor === undefined) break
      await command(testbed, '/v1/devices', { id: `list-${added}` })
    }
    const listed = seen.filter((id) => id.startsWith('list-'))
    expect(new Set(listed).size).toBe(listed.length)
    expect(listed).toEqual(expect.arrayContaining(['list-b', 'list-d', 'list-f', 'list-h']))
    expect(listed).toEqual(listed.toSorted((a, b) => (a < b ? -1 : 1)))
  })
})

describe('a list of devices', () => {
  const ids = async (query: string): Promise<string[]> => {
    const { status, json } = await get(`/v1/devices?limit=1000&${query}`)
    expect(status).toBe(200)
    return (json['items'] as { id: string }[]).map(({ id }) => id)
  }

  it('is of one role, profile and state where they are named, page by page', async () => {
    const gateway = { id: 'list-gateway', profile: 'service', dns: ['gw.example'] }
    await command(testbed, '/v1/devices', gateway)
    const everybody = await ids('')
    const roles = ['device', 'service', 'operator', 'claim'] as const
    const byRole = await Promise.all(roles.map((role) => ids(`role=${role}`)))
    const [devices, services, operators, claims] = byRole
    expect(devices).toContain('list-b')
    expect(services).toEqual(expect.arrayContaining(['broker', 'enrollment-server', 'list-gateway']))
    expect([operators, claims]).toEqual([['operator'], []])
    const rest = everybody.filter((id) => !byRole.flat().includes(id))
    expect(rest.toSorted()).toEqual(['ocsp-devices', 'ocsp-services'])
    expect(await ids('profile=broker')).toEqual(['broker'])
    expect(await ids('role=device&profile=service')).toEqual([])
    expect(await ids('role=service&state=suspended')).toEqual([])
    const { json } = await get('/v1/devices?limit=1&role=device')
    const next = await ids(`role=device&cursor=${String(json['nextCursor'])}`)
    expect(next).toEqual(devices?.slice(1))
    for (const query of ['role=root', 'profile=A', 'rolle=device']) {
      expect((await get(`/v1/devices?${query}`)).json['code']).toBe('field-invalid')
    }
  })
})

describe('an answer to a GET', () => {
  it('has an ETag, and is not sent again to whoever has it', async () => {
    for (const path of ['/v1/devices/list-b', '/v1/devices', '/v1/ca', '/v1/certificates?limit=1']) {
      const { headers, status } = await get(path)
      expect(status).toBe(200)
      const etag = String(headers.etag)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await get(path, { 'if-none-match': known })
        expect([again.status, again.body, again.headers.etag]).toEqual([304, '', etag])
        const isPublic = path === '/v1/ca'
        expect(again.headers['cache-control']).toBe(isPublic ? undefined : 'private, no-cache')
      }
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200)
    }
  })

  it('is another one when something has changed', async () => {
    const before = await get('/v1/devices/list-d')
    await command(testbed, '/v1/devices/list-d/suspend')
    const after = await get('/v1/devices/list-d', { 'if-none-match': String(before.headers.etag) })
    expect([after.status, after.json['state']]).toEqual([200, 'suspended'])
  })
})
