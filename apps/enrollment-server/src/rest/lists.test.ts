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

describe('an answer to a GET', () => {
  it('has an ETag, and is not sent again to whoever has it', async () => {
    for (const path of ['/v1/devices/list-b', '/v1/devices', '/v1/ca', '/v1/certificates?limit=1']) {
      const { headers, status } = await get(path)
      expect(status).toBe(200)
      const etag = String(headers.etag)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await get(path, { 'if-none-match': known })
        expect([again.status, again.body, again.headers.etag]).toEqual([304, '', etag])
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
