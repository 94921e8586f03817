import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createCsr, generateKeyPair, toPem } from '@fleetroot/pki'
import { postJson } from './http.ts'

/**
 * Makes devices that may enroll, and the requests with which they do. Devices and tokens are written to the registry as
 * another server on it would: what is measured is enrolling them, and two REST calls for each would take longer than that.
 */
export function makeEnrollments(data: string, host: string, name: string, count: number): Buffer[] {
  const registry = new DatabaseSync(join(data, 'registry.db'), { timeout: 10_000 })
  try {
    const device = registry.prepare(
      `INSERT INTO devices (id, profile, state, dns, ip, labels, created_at)
       VALUES (?, 'device', 'registered', '[]', '[]', '{}', ?)`,
    )
    const token = registry.prepare(
      'INSERT INTO tokens (hash, device_id, created_at, expires_at) VALUES (?, ?, ?, ?)',
    )
    const requests: Buffer[] = []
    const now = Date.now()
    registry.exec('BEGIN IMMEDIATE')
    for (let n = 0; n < count; n++) {
      const id = `${name}-${n}`
      const secret = randomBytes(32).toString('base64url')
      device.run(id, now)
      token.run(createHash('sha256').update(secret).digest('hex'), id, now, now + 3_600_000)
      const { privateKey } = generateKeyPair('P-256')
      const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
      requests.push(postJson(host, '/v1/enrollments', { csr }, { authorization: `Bearer ${secret}` }))
    }
    registry.exec('COMMIT')
    return requests
  } finally {
    registry.close()
  }
}
