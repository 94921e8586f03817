import { generateKeyPair, keyAlgorithms } from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { issueLeaf, keysOf, makeAuthority } from './authority.ts'

judgedBy(['openssl'], 'certificates, judged by openssl', () => {
  test.each(keyAlgorithms)(
    'verify -x509_strict accepts a chain of %s keys, for clients and servers',
    async (algorithm) => {
      using folder = temporaryFolder()
      const authority = await makeAuthority(algorithm)
      const { publicKey } = keysOf(algorithm, 'leaf')
      const names = { dns: ['broker.example'], ip: ['192.0.2.7', '2001:db8::7'] }
      const leaves = {
        device: await issueLeaf(authority, 'device', publicKey),
        service: await issueLeaf(authority, 'service', publicKey, names),
      }
      const file = (name: string, pem: string): string => {
        writeFileSync(join(folder.path, name), pem)
        return join(folder.path, name)
      }
      const trust = ['-x509_strict', '-CAfile', file('root.pem', authority.root.pem)]
      const chain = [...trust, '-untrusted', file('ca.pem', authority.issuer.certificate.pem)]
      const device = file('device.pem', leaves.device.pem)
      const service = file('service.pem', leaves.service.pem)

      await succeed('openssl', ['verify', ...chain, '-purpose', 'sslclient', device])
      await succeed('openssl', ['verify', ...chain, '-purpose', 'sslclient', service])
      await succeed('openssl', ['verify', ...chain, '-purpose', 'sslserver', service])
      await succeed('openssl', ['verify', ...chain, '-verify_hostname', 'broker.example', service])
      await succeed('openssl', ['verify', ...chain, '-verify_ip', '2001:db8::7', service])

      // It must be able to say no: a device is no server, and nobody is trusted without the issuing CA.
      expect((await run('openssl', ['verify', ...chain, '-purpose', 'sslserver', device])).text).toMatch(
        /purpose/,
      )
      expect((await run('openssl', ['verify', ...trust, device])).status).not.toBe(0)
    },
  )

  test('x509 -text shows the extensions of the device profile, critical where the design says', async () => {
    const authority = await makeAuthority('P-256')
    const leaf = await issueLeaf(authority, 'device', generateKeyPair('P-256').publicKey)
    const { text } = await succeed('openssl', ['x509', '-noout', '-text'], { input: leaf.pem })
    expect(text).toMatch(/Version: 3/)
    expect(text).toMatch(/Subject: CN = pump-7/)
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/)
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature\n/)
    expect(text).toMatch(/Extended Key Usage: \s+TLS Web Client Authentication\n/)
    expect(text).toMatch(/Subject Alternative Name: \s+URI:spiffe:\/\/interop\.example\/device\/pump-7\n/)
    expect(text).toMatch(/Subject Key Identifier/)
    expect(text).toMatch(/Authority Key Identifier/)
    expect(text).toMatch(/CA Issuers - URI:http:\/\/ca\.example\/ca\.crt/)
  })

  test('an issuing CA may sign certificates and CRLs, and no further CA', async () => {
    const authority = await makeAuthority('P-256')
    const { text } = await succeed('openssl', ['x509', '-noout', '-text'], {
      input: authority.issuer.certificate.pem,
    })
    expect(text).toMatch(/CA:TRUE, pathlen:0/)
    expect(text).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign/)
  })
})

judgedBy(['certtool'], 'certificates, judged by GnuTLS certtool', () => {
  test.each(keyAlgorithms)('certtool verifies a chain of %s keys', async (algorithm) => {
    using folder = temporaryFolder()
    const authority = await makeAuthority(algorithm)
    const leaf = await issueLeaf(authority, 'device', keysOf(algorithm, 'leaf').publicKey)
    const trust = join(folder.path, 'root.pem')
    writeFileSync(trust, authority.root.pem)
    const { text } = await succeed('certtool', ['--verify', '--load-ca-certificate', trust], {
      input: leaf.pem + authority.issuer.certificate.pem,
    })
    expect(text).toMatch(/Chain verification output: Verified\. The certificate is trusted/)
  })

  test('certtool reads id, role and purposes', async () => {
    const authority = await makeAuthority('P-256')
    const leaf = await issueLeaf(authority, 'device', generateKeyPair('P-256').publicKey)
    const { text } = await succeed('certtool', ['--certificate-info'], { input: leaf.pem })
    expect(text).toMatch(/Subject: CN=pump-7/)
    expect(text).toMatch(/URI: spiffe:\/\/interop\.example\/device\/pump-7/)
    expect(text).toMatch(/TLS WWW Client/)
    expect(text).not.toMatch(/unknown|Unknown/)
  })
})
