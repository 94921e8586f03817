import {
  encodeCertsOnly,
  decodeCertsOnly,
  exportPrivateKey,
  generateKeyPair,
  keyAlgorithms,
  readPkcs12,
  writePkcs12,
} from '@fleetroot/pki'
import { temporaryFolder } from '@fleetroot/harness'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { issueLeaf, keysOf, makeAuthority } from './authority.ts'

const password = 'correct-horse-7'

judgedBy(['openssl', 'certtool'], 'PKCS#7, judged by openssl and certtool', () => {
  test('openssl and certtool list the certificates of our certs-only message', async () => {
    const authority = await makeAuthority('P-256')
    const message = encodeCertsOnly([authority.root, authority.issuer.certificate])
    const openssl = await succeed('openssl', ['pkcs7', '-inform', 'DER', '-print_certs', '-noout'], {
      input: message,
    })
    expect(openssl.text.match(/^subject=/gm)).toHaveLength(2)
    const certtool = await succeed('certtool', ['--p7-info', '--inder'], { input: message })
    expect(certtool.text).toMatch(/Number of certificates: 2/)
  })

  test('we read a certs-only message that openssl made', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const file = join(folder.path, 'certs.pem')
    writeFileSync(file, authority.root.pem + authority.issuer.certificate.pem)
    const { stdout } = await succeed('openssl', ['crl2pkcs7', '-nocrl', '-certfile', file, '-outform', 'DER'])
    expect(
      decodeCertsOnly(stdout)
        .map(({ serial }) => serial)
        .toSorted(),
    ).toEqual([authority.root.serial, authority.issuer.certificate.serial].toSorted())
  })
})

judgedBy(['openssl', 'keytool'], 'PKCS#12, judged by openssl and Java', () => {
  test.each(keyAlgorithms)(
    'openssl opens our file with a %s key, and not with another password',
    async (algorithm) => {
      const authority = await makeAuthority('P-256')
      const { publicKey, privateKey } = keysOf(algorithm, 'leaf')
      const certificate = await issueLeaf(authority, 'device', publicKey)
      const chain = [authority.issuer.certificate]
      const file = writePkcs12({ privateKey, certificate, chain, password, friendlyName: 'pump-7' })
      const open = ['pkcs12', '-nodes', '-passin']
      const { text } = await succeed('openssl', [...open, `pass:${password}`], { input: file })
      expect(text).toMatch(/BEGIN PRIVATE KEY/)
      expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(2)
      expect((await run('openssl', [...open, 'pass:wrong'], { input: file })).text).toMatch(
        /invalid password/,
      )
    },
  )

  test('Java lists our file as one private key entry with its chain', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const { publicKey, privateKey } = generateKeyPair('P-256')
    const certificate = await issueLeaf(authority, 'device', publicKey)
    const file = join(folder.path, 'pump-7.p12')
    const chain = [authority.issuer.certificate, authority.root]
    writeFileSync(file, writePkcs12({ privateKey, certificate, chain, password, friendlyName: 'pump-7' }))
    const { text } = await succeed('keytool', ['-list', '-v', '-keystore', file, '-storepass', password])
    expect(text).toMatch(/Alias name: pump-7/)
    expect(text).toMatch(/Entry type: PrivateKeyEntry/)
    expect(text).toMatch(/Certificate chain length: 3/)
  })

  test.each([
    ['modern', []],
    ['legacy (Triple DES, RC2, SHA-1)', ['-legacy']],
  ])('we open a %s file that openssl made', async (_, flags) => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const { publicKey, privateKey } = generateKeyPair('P-256')
    const certificate = await issueLeaf(authority, 'device', publicKey)
    const input = exportPrivateKey(privateKey) + certificate.pem + authority.issuer.certificate.pem
    const file = join(folder.path, 'in.pem')
    writeFileSync(file, input)
    const { stdout } = await succeed('openssl', [
      'pkcs12',
      '-export',
      '-in',
      file,
      '-passout',
      `pass:${password}`,
      ...flags,
    ])
    const identity = readPkcs12(stdout, password)
    expect(identity.certificate.serial).toBe(certificate.serial)
    expect(identity.chain.map(({ serial }) => serial)).toEqual([authority.issuer.certificate.serial])
    expect(exportPrivateKey(identity.privateKey)).toBe(exportPrivateKey(privateKey))
  })

  test('we open a file that Java made', async () => {
    using folder = temporaryFolder()
    const file = join(folder.path, 'java.p12')
    await succeed('keytool', [
      '-genkeypair',
      '-keyalg',
      'EC',
      '-groupname',
      'secp256r1',
      '-dname',
      'CN=pump-7',
      '-alias',
      'pump-7',
      '-storetype',
      'PKCS12',
      '-keystore',
      file,
      '-storepass',
      password,
    ])
    const identity = readPkcs12(readFileSync(file), password)
    expect(identity.privateKey.asymmetricKeyType).toBe('ec')
  })
})

judgedBy(['curl'], 'PKCS#12, judged by curl', () => {
  test('curl presents the certificate of our file in a mutual-TLS handshake', async () => {
    using folder = temporaryFolder()
    const authority = await makeAuthority('P-256')
    const server = generateKeyPair('P-256')
    const serverCertificate = await issueLeaf(authority, 'service', server.publicKey, { dns: ['localhost'] })
    const device = generateKeyPair('P-256')
    const certificate = await issueLeaf(authority, 'device', device.publicKey)
    const file = join(folder.path, 'pump-7.p12')
    const root = join(folder.path, 'root.pem')
    const chain = [authority.issuer.certificate]
    writeFileSync(file, writePkcs12({ privateKey: device.privateKey, certificate, chain, password }))
    writeFileSync(root, authority.root.pem)
    const listener = createServer(
      {
        key: exportPrivateKey(server.privateKey),
        cert: serverCertificate.pem + authority.issuer.certificate.pem,
        ca: authority.root.pem,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (request, response) =>
        response.end((request.socket as TLSSocket).getPeerX509Certificate()?.serialNumber.toLowerCase()),
    ).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    try {
      const { port } = listener.address() as AddressInfo
      const { text } = await succeed('curl', [
        '--silent',
        '--show-error',
        '--cacert',
        root,
        '--cert-type',
        'P12',
        '--cert',
        `${file}:${password}`,
        `https://localhost:${port}/`,
      ])
      expect(BigInt(`0x${text}`)).toBe(BigInt(`0x${certificate.serial}`))
    } finally {
      listener.close()
    }
  })
})
