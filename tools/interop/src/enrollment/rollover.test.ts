import { readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { operator, type Operator } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet.ts'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

interface Bundle {
  readonly roots: string[]
  readonly cross: string[]
  readonly issuers: { readonly devices: string[]; readonly services: string[] }
}

judgedBy(['openssl', 'curl', 'pki'], 'a rollover, as openssl, Node, curl and strongSwan see it', () => {
  let fleet: Fleet
  let admin: Operator
  /** The first root, and the one that follows it: each the only one that some clients know. */
  let oldRoot: string
  let newRoot: string
  const leafs: Record<string, { file: string; serial: string; crlUrl: string }> = {}

  beforeAll(async () => {
    fleet = await startFleet({ broker: false })
    admin = fleet.admin
    oldRoot = fleet.file('old-root.pem')
    newRoot = fleet.file('new-root.pem')
    writeFileSync(oldRoot, readFileSync(fleet.root))
  })
  afterAll(async () => {
    if (admin !== fleet.admin) admin.close()
    await fleet[Symbol.asyncDispose]()
  })

  const bundle = async (): Promise<Bundle> => (await admin.call('GET', '/v1/ca')).body as Bundle

  async function change(path: string, body: object = {}): Promise<void> {
    const answer = await admin.call('POST', `/v1/ca/${path}`, body)
    if (answer.status > 201) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }

  async function enroll(id: string): Promise<void> {
    const token = await admin.token(id)
    const key = fleet.file(`${id}.key`)
    await succeed('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    const csr = (await succeed('openssl', ['req', '-new', '-key', key, '-subj', `/CN=${id}`])).stdout
    const authorization = `Bearer ${token}`
    const answer = await admin.call('POST', '/v1/enrollments', { csr: csr.toString() }, { authorization })
    const { certificate, serial } = answer.body as { certificate: string; serial: string }
    const file = fleet.file(`${id}.crt`)
    writeFileSync(file, certificate)
    const { text } = await succeed('openssl', [
      'x509',
      '-in',
      file,
      '-noout',
      '-ext',
      'crlDistributionPoints',
    ])
    leafs[id] = { file, serial, crlUrl: /URI:(\S+)/.exec(text)?.[1] ?? '' }
  }

  /** `openssl verify` of a leaf by one root, with what the server hands out to get there. */
  async function verify(id: string, root: string, more: readonly string[] = []): Promise<string> {
    const { cross, issuers } = await bundle()
    const untrusted = fleet.file('untrusted.pem')
    writeFileSync(untrusted, [...cross, ...issuers.devices].join(''))
    const purpose = ['-x509_strict', '-purpose', 'sslclient', '-CAfile', root, '-untrusted', untrusted]
    const { text } = await run('openssl', ['verify', ...purpose, ...more, leafs[id]?.file ?? ''])
    return text
  }

  /** What each client that trusts this root alone says of the server. */
  async function clientsWith(root: string): Promise<Record<string, boolean>> {
    const { port } = fleet.enrollment
    const s_client = (protocol: string) =>
      run(
        'openssl',
        [
          's_client',
          '-connect',
          `localhost:${port}`,
          protocol,
          '-CAfile',
          root,
          '-x509_strict',
          '-purpose',
          'sslserver',
          '-verify_hostname',
          'localhost',
          '-verify_return_error',
        ],
        { input: 'Q\n' },
      )
    const node = connect({
      port: Number(port),
      servername: 'localhost',
      host: 'localhost',
      ca: readFileSync(root),
    })
    const nodeAnswer = await Promise.race([
      once(node, 'secureConnect').then(() => node.authorized),
      once(node, 'error').then(() => false),
    ]).catch(() => false)
    node.destroy()
    const url = `https://localhost:${port}`
    const curl = await run('curl', ['--silent', '--fail', '--cacert', root, `${url}/.well-known/est/cacerts`])
    const strongSwan = await run('pki', ['--estca', '--url', url, '--cacert', root])
    return {
      'openssl 1.2': (await s_client('-tls1_2')).status === 0,
      'openssl 1.3': (await s_client('-tls1_3')).status === 0,
      node: nodeAnswer,
      curl: curl.status === 0,
      strongSwan: strongSwan.status === 0,
    }
  }
  const all = (answer: boolean) => ({
    'openssl 1.2': answer,
    'openssl 1.3': answer,
    node: answer,
    curl: answer,
    strongSwan: answer,
  })

  test('before it, the old root leads to everything', async () => {
    await enroll('before')
    expect(await clientsWith(oldRoot)).toEqual(all(true))
    expect(await verify('before', oldRoot)).toMatch(/: OK/)
  })

  test('while the new root is introduced, both roots lead to the server and to every leaf', async () => {
    await change('rotations', { kind: 'root' })
    writeFileSync(newRoot, (await bundle()).roots[1] ?? '')
    await enroll('introduced')
    for (const root of [oldRoot, newRoot]) {
      expect(await clientsWith(root)).toEqual(all(true))
      for (const id of ['before', 'introduced']) expect(await verify(id, root)).toMatch(/: OK/)
    }
  })

  test('when it has taken over, and a new Devices CA with it, they still do', async () => {
    await change('root-2/activate')
    await change('rotations', { kind: 'devices', introduceForSeconds: 0 })
    await change('rotations', { kind: 'services', introduceForSeconds: 0 })
    await enroll('after')
    for (const root of [oldRoot, newRoot]) {
      expect(await clientsWith(root)).toEqual(all(true))
      for (const id of ['before', 'introduced', 'after']) expect(await verify(id, root)).toMatch(/: OK/)
    }
    const { text } = await succeed('openssl', [
      'x509',
      '-in',
      leafs['after']?.file ?? '',
      '-noout',
      '-issuer',
    ])
    expect(text).toContain('Fleetroot Devices CA 2')
  })

  test('a CA that is retiring says what it revoked, in its list and in its own name by OCSP', async () => {
    await admin.call('POST', `/v1/certificates/${leafs['before']?.serial}/revoke`, {
      reason: 'keyCompromise',
    })
    const listOf = async (id: string): Promise<string> => {
      const [der, pem] = [fleet.file(`${id}.crl`), fleet.file(`${id}.crl.pem`)]
      await succeed('curl', ['--silent', '--fail', '--output', der, leafs[id]?.crlUrl ?? ''])
      await succeed('openssl', ['crl', '-inform', 'DER', '-in', der, '-out', pem])
      return pem
    }
    const checked = async (id: string, root: string): Promise<string> =>
      verify(id, root, ['-crl_check', '-CRLfile', await listOf(id)])
    for (const root of [oldRoot, newRoot]) {
      // The list follows within about 100 ms.
      await expect.poll(() => checked('before', root), { timeout: 60_000 }).toMatch(/certificate revoked/)
      expect(await checked('introduced', root)).toMatch(/: OK/)
      expect(await checked('after', root)).toMatch(/: OK/)
    }

    const { issuers, roots, cross } = await bundle()
    const trusted = fleet.file('everything.pem')
    writeFileSync(trusted, [...roots, ...cross, ...issuers.devices].join(''))
    const ocsp = async (id: string, issuer: string | undefined, bySerial = false): Promise<string> => {
      const file = fleet.file('ocsp-issuer.pem')
      writeFileSync(file, issuer ?? '')
      const { text: uri } = await succeed('openssl', [
        'x509',
        '-in',
        leafs[id]?.file ?? '',
        '-noout',
        '-ocsp_uri',
      ])
      const args = ['-issuer', file, '-CAfile', trusted, '-url', uri.trim(), '-sha256']
      const { file: leaf = '', serial = '' } = leafs[id] ?? {}
      const asked = bySerial ? ['-serial', `0x${serial}`] : ['-cert', leaf]
      return (await run('openssl', ['ocsp', ...args, ...asked])).text
    }
    const [current, retiring] = issuers.devices
    expect(await ocsp('before', retiring)).toMatch(/: revoked[\s\S]*keyCompromise[\s\S]*Response verify OK/)
    expect(await ocsp('introduced', retiring)).toMatch(/: good[\s\S]*Response verify OK/)
    expect(await ocsp('after', current)).toMatch(/: good[\s\S]*Response verify OK/)
    expect(await ocsp('after', retiring, true)).toMatch(/: unknown[\s\S]*Response verify OK/)
  })

  test('when the old root is retired, only the new one leads anywhere', async () => {
    admin = operator(fleet.data, fleet.enrollment.href)
    await change('root/retire', { force: true })
    expect(await clientsWith(newRoot)).toEqual(all(true))
    expect(await clientsWith(oldRoot)).toEqual(all(false))
    expect(readFileSync(join(fleet.data, 'public/root.crt'), 'utf8')).toBe(readFileSync(newRoot, 'utf8'))
    for (const id of ['introduced', 'after']) {
      expect(await verify(id, newRoot)).toMatch(/: OK/)
      expect(await verify(id, oldRoot)).toMatch(/unable to get (?:local )?issuer certificate/)
    }
  })
})
