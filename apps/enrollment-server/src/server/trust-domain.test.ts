import { afterAll, beforeAll, expect, it } from 'vitest'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

it('a server is not started with another trust domain than that of its data directory', async () => {
  await expect(openTestbed({ trustDomain: 'other.example' }, 0, testbed)).rejects.toMatchObject({
    code: 'config',
    message: expect.stringMatching(
      /^trustDomain: .*cert\.pem and the certificates of this fleet are of the trust domain fleet\.example, not other\.example: start with --trust-domain=fleet\.example, or/,
    ) as unknown,
  })
})

it('a server is started with the same one', async () => {
  const second = await openTestbed({}, 0, testbed)
  expect((await second.request('/v1/devices', { identity: testbed.operator })).status).toBe(200)
  await second.close()
})
