import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '@fleetroot/harness'
import { versionOf } from '../measure/machine.ts'
import { startOnPort, type Started } from './process.ts'

/** cfssl's version, or undefined where it is not installed. */
export const cfsslVersion = (): string | undefined => versionOf('cfssl', ['version'], /Version: [\d.]+/)

/** `cfssl serve` signing with a P-256 CA, without a database, over TLS where `tls` is given and plain HTTP otherwise. */
export async function startCfssl(
  folder: string,
  ca: { cert: string; key: string },
  tls?: { cert: string; key: string },
): Promise<Started & { port: number }> {
  const port = await freePort()
  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 })
    return join(folder, name)
  }
  const signing = { default: { expiry: '720h', usages: ['digital signature', 'client auth'] } }
  const args = [
    'serve',
    '-address=127.0.0.1',
    `-port=${port}`,
    `-ca=${file('cfssl-ca.pem', ca.cert)}`,
    `-ca-key=${file('cfssl-ca-key.pem', ca.key)}`,
    `-config=${file('cfssl.json', JSON.stringify({ signing }))}`,
    '-loglevel=5',
    ...(tls
      ? [`-tls-cert=${file('cfssl-tls.pem', tls.cert)}`, `-tls-key=${file('cfssl-tls-key.pem', tls.key)}`]
      : []),
  ]
  return { ...(await startOnPort('cfssl', args, port)), port }
}
