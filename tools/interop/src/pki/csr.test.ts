import {
  createCsr,
  exportPrivateKey,
  fromPem,
  generateKeyPair,
  keyAlgorithms,
  parseCsr,
} from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { keysOf } from './authority.ts'

const opensslKeys: Record<string, string[]> = {
  'P-256': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  'P-384': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  Ed25519: ['-algorithm', 'ED25519'],
  'RSA-2048': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  'RSA-3072': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  'RSA-4096': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
}

judgedBy(['openssl'], 'CSRs, judged by openssl', () => {
  test.each(keyAlgorithms)(
    'openssl verifies our CSR of a %s key, with names and challenge password',
    async (algorithm) => {
      const csr = createCsr({
        privateKey: keysOf(algorithm, 'leaf').privateKey,
        commonName: 'pump-7',
        subjectAltNames: [{ type: 'dns', value: 'pump-7.example' }],
        challengePassword: 'dGxzLXVuaXF1ZQ==',
        estIdentityLinking: 'ZXhwb3J0ZXI=',
      })
      const { text } = await succeed('openssl', ['req', '-inform', 'DER', '-noout', '-verify', '-text'], {
        input: csr,
      })
      expect(text).toMatch(/verify OK/)
      expect(text).toMatch(/Subject: CN = pump-7/)
      expect(text).toMatch(/DNS:pump-7\.example/)
      expect(text).toMatch(/challengePassword\s*:\s*dGxzLXVuaXF1ZQ==/)
      expect(text).toMatch(/1\.2\.840\.113549\.1\.9\.16\.2\.58\s*:\s*ZXhwb3J0ZXI=/)
    },
  )

  test('openssl refuses our CSR when one bit of it changes', async () => {
    const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: 'pump-7' })
    const at = csr.indexOf('pump-7')
    csr[at] = (csr[at] ?? 0) ^ 1
    const { text } = await run('openssl', ['req', '-inform', 'DER', '-noout', '-verify'], { input: csr })
    expect(text).toMatch(/verify failure/i)
    await expect(parseCsr(csr)).rejects.toThrow(/proof of possession|signature/i)
  })

  test.each(keyAlgorithms)('we read and verify a CSR that openssl made with a %s key', async (algorithm) => {
    using folder = temporaryFolder()
    const key = join(folder.path, 'key.pem')
    await succeed('openssl', ['genpkey', ...(opensslKeys[algorithm] ?? []), '-out', key])
    const { stdout } = await succeed('openssl', [
      'req',
      '-new',
      '-key',
      key,
      '-subj',
      '/CN=pump-7',
      '-addext',
      'subjectAltName=DNS:pump-7.example,IP:192.0.2.7',
      '-addext',
      'keyUsage=digitalSignature',
      '-addext',
      'extendedKeyUsage=clientAuth',
    ])
    const csr = await parseCsr(fromPem(stdout.toString())[0]?.der ?? Buffer.alloc(0))
    expect(csr.commonName).toBe('pump-7')
    expect(csr.subjectAltNames).toEqual([
      { type: 'dns', value: 'pump-7.example' },
      { type: 'ip', value: '192.0.2.7' },
    ])
  })
})

judgedBy(['openssl'], 'a channel binding in a CSR of openssl', () => {
  test('is read, in challengePassword and in estIdentityLinking, as its configuration has it', async () => {
    using folder = temporaryFolder()
    const config = join(folder.path, 'req.cnf')
    writeFileSync(
      config,
      `oid_section = oids
[req]
prompt = no
distinguished_name = subject
attributes = attributes
[oids]
estIdentityLinking = 1.2.840.113549.1.9.16.2.58
[subject]
CN = pump-7
[attributes]
challengePassword = dGxzLXVuaXF1ZQ==
estIdentityLinking = ZXhwb3J0ZXI=
`,
    )
    const key = join(folder.path, 'key.pem')
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    const { stdout } = await succeed('openssl', ['req', '-new', '-config', config, '-key', key])
    expect(await parseCsr(fromPem(stdout.toString())[0]?.der ?? Buffer.alloc(0))).toMatchObject({
      challengePassword: 'dGxzLXVuaXF1ZQ==',
      estIdentityLinking: 'ZXhwb3J0ZXI=',
    })
  })
})

judgedBy(['certtool'], 'CSRs, judged by GnuTLS certtool', () => {
  test.each(keyAlgorithms)(
    'certtool reads our CSR of a %s key and finds its self signature good',
    async (algorithm) => {
      const csr = createCsr({ privateKey: keysOf(algorithm, 'leaf').privateKey, commonName: 'pump-7' })
      const { text } = await succeed('certtool', ['--crq-info', '--inder'], { input: csr })
      expect(text).toMatch(/Subject: CN=pump-7/)
      expect(text).toMatch(/Self signature: verified/)
    },
  )
})

judgedBy(['openssl', 'certtool'], 'private keys, judged by openssl and certtool', () => {
  test.each(keyAlgorithms)(
    'openssl and certtool open our encrypted PKCS#8 file of a %s key',
    async (algorithm) => {
      const { privateKey } = keysOf(algorithm, 'leaf')
      const pem = exportPrivateKey(privateKey, 'correct horse')
      expect(pem).toMatch(/BEGIN ENCRYPTED PRIVATE KEY/)
      await succeed('openssl', ['pkey', '-passin', 'pass:correct horse', '-check', '-noout'], { input: pem })
      await succeed('certtool', ['--key-info', '--pkcs8', '--password', 'correct horse'], { input: pem })
      expect(
        (await run('openssl', ['pkey', '-passin', 'pass:wrong', '-noout'], { input: pem })).status,
      ).not.toBe(0)
    },
  )
})
