import { expect, it } from 'vitest'
import { openTestbed } from '../testing/testbed.ts'
import { linesAfter } from './audit.ts'

it('an export of the audit ends when its reader is revoked, before the next part', async () => {
  const record = (seq: number) => ({ record: { seq, type: 'started', at: '' }, hash: '' })
  // A page of a long audit after the other.
  const listAudit = async ({ after, limit }: { after: number; limit: number }) =>
    Array.from({ length: limit }, (_, n) => record(after + n + 1)) as never
  let isRevoked = false
  const lines = linesAfter({ listAudit }, 0, async () => {
    if (isRevoked) throw new Error('revoked')
  })
  expect((await lines.next()).value?.split('\n')).toHaveLength(501)
  isRevoked = true
  await expect(lines.next()).rejects.toThrow('revoked')
})

it('and a whole one is what the audit has', async () => {
  const testbed = await openTestbed()
  const { body } = await testbed.request('/v1/audit/export', { identity: testbed.operator })
  const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
  await testbed.close()
  expect(
    body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual(json['items'])
})
