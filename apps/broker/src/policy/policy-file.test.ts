import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Policy, readDefaultPolicy } from '@fleetroot/policy'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPolicy } from './policy-file.ts'

let directory: string
let path: string
let policies: Policy[]
let errors: unknown[]
const listener = {
  onPolicy: (policy: Policy) => void policies.push(policy),
  onError: (error: unknown) => void errors.push(error),
  // The tests look by themselves.
  everyMs: 1e6,
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'broker-policy-'))
  path = join(directory, 'policy.yaml')
  policies = []
  errors = []
  await writeFile(path, readDefaultPolicy())
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

test('a changed file becomes the policy, an unchanged one does not', async () => {
  const file = await openPolicy(path, listener)
  await file.check()
  expect(policies).toEqual([])
  await writeFile(path, 'version: 1\nroles: {}\n')
  await file.check()
  await file.check()
  expect(policies.map(({ roles }) => roles.size)).toEqual([0])
  file.close()
})

test('a file with a mistake is reported once and changes nothing', async () => {
  const file = await openPolicy(path, listener)
  await writeFile(path, 'version: 1\nroles:\n  admin: {}\n')
  await file.check()
  await file.check()
  expect(policies).toEqual([])
  expect(errors).toMatchObject([{ code: 'policy-invalid' }])
  file.close()
})

test('a file that is gone is reported once, and its return is noticed', async () => {
  const file = await openPolicy(path, listener)
  await rm(path)
  await file.check()
  await file.check()
  expect(errors).toMatchObject([{ code: 'policy-unreadable' }])
  await writeFile(path, 'version: 1\nroles: {}\n')
  await file.check()
  expect(policies).toHaveLength(1)
  file.close()
})

test('changes are noticed without being asked for', async () => {
  const changed = Promise.withResolvers<Policy>()
  const file = await openPolicy(path, { ...listener, onPolicy: changed.resolve, everyMs: 10 })
  await writeFile(path, 'version: 1\nroles: {}\n')
  expect((await changed.promise).roles.size).toBe(0)
  file.close()
})

test('a file that cannot be read at the start is an error with its path', async () => {
  await expect(openPolicy(join(directory, 'none.yaml'), listener)).rejects.toMatchObject({
    code: 'policy-unreadable',
    message: `cannot read the policy file ${join(directory, 'none.yaml')}: there is no such file`,
  })
})
