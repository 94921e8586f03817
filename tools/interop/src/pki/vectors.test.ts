import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellBlocks, temporaryFolder } from '@fleetroot/harness'
import { afterAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { clockAt } from '../time/clock.ts'

// The files that docs/vectors gives to others, as openssl and GnuTLS read them.

judgedBy(['openssl', 'certtool', 'ocsptool', 'faketime'], 'the published vectors', () => {
  const folder = temporaryFolder()
  afterAll(() => folder[Symbol.dispose]())
  const cwd = join(folder.path, 'vectors')
  cpSync(join(import.meta.dirname, '../../../../docs/vectors'), cwd, { recursive: true })
  const seconds = readFileSync(join(cwd, 'time.txt'), 'utf8').trim()

  test('are what their document says, by the commands that it shows', async () => {
    const looking = shellBlocks('docs/vectors/README.md')[1] ?? ''
    const { status, text } = await run('bash', ['-euo', 'pipefail'], { input: looking, cwd })
    expect(status, text).toBe(0)
    expect(text).toMatch(/^Certificate request self-signature verify OK$/m)
    expect(text).toContain('device.crt: OK')
    expect(text.match(/^subject=CN = Fleetroot/gm)).toHaveLength(3)
    expect(text).toMatch(/Key Compromise[^]*device\.crt: good/)
    expect(text).toContain('Response verify OK')
  })

  test('are taken by GnuTLS', async () => {
    const at = clockAt(new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replace('T', ' '))
    const read = (file: string): string => readFileSync(join(cwd, file), 'utf8')
    writeFileSync(join(cwd, 'chain.pem'), ['device.crt', 'devices.crt'].map(read).join(''))
    const gnutls = async (program: string, ...args: string[]): Promise<string> =>
      (await succeed(program, args, { cwd, env: { ...at, TZ: 'UTC' } })).text
    expect(await gnutls('certtool', '--crq-info', '--inder', '--infile=device.csr')).toContain('CN=vector-1')
    const chain = ['--load-ca-certificate=root.crt', '--infile=chain.pem']
    expect(await gnutls('certtool', '--verify', ...chain)).toContain('Chain verification output: Verified')
    const list = ['--load-ca-certificate=devices.crt', '--infile=crl.pem']
    await succeed('openssl', ['crl', '-in', 'devices.crl', '-inform', 'DER', '-out', 'crl.pem'], { cwd })
    expect(await gnutls('certtool', '--verify-crl', ...list)).toContain('Verification output: Verified')
    for (const [request, answer] of [
      ['ocsp.req', 'good.ocsp'],
      ['revoked.req', 'revoked.ocsp'],
    ]) {
      const files = [`--load-request=${request}`, `--load-response=${answer}`, '--load-trust=devices.crt']
      expect(await gnutls('ocsptool', '--verify-response', ...files)).toContain('Success')
    }
  })
})
