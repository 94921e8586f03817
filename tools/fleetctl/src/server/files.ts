import { join, resolve } from 'node:path'
import type { Input } from '../command/input.ts'

/** Where the server is, and what to meet it with. */
export interface ServerFiles {
  readonly url: string
  /** What chose the URL, for an error that must say how to change it. */
  readonly urlFrom: string
  readonly trust: string
  readonly cert: string
  readonly key: string
}

/** The data directory that a command line or its environment names; absolute. */
export function dataDirectory(input: Pick<Input, 'text'>, env: Readonly<NodeJS.ProcessEnv>): string {
  return resolve(input.text('data') ?? (env['FLEETROOT_DATA'] || '.fleetroot'))
}

/** Flags, then variables, then what an enrollment server on this machine has. */
export function serverFiles(input: Pick<Input, 'text'>, env: Readonly<NodeJS.ProcessEnv>): ServerFiles {
  const data = dataDirectory(input, env)
  const [url, urlFrom] = chooseUrl(input, env)
  return {
    url,
    urlFrom,
    trust: resolve(input.text('trust') ?? (env['FLEETROOT_TRUST_FILE'] || join(data, 'public/root.crt'))),
    cert: resolve(input.text('cert') ?? join(data, 'operator/cert.pem')),
    key: resolve(input.text('key') ?? join(data, 'operator/key.pem')),
  }
}

function chooseUrl(
  input: Pick<Input, 'text'>,
  env: Readonly<NodeJS.ProcessEnv>,
): [url: string, from: string] {
  const flag = input.text('url')
  if (flag !== undefined) return [flag, '--url']
  const { FLEETROOT_ENROLLMENT_URL: url, FLEETROOT_ENROLLMENT_PORT: port } = env
  if (url) return [url, 'FLEETROOT_ENROLLMENT_URL']
  if (port) return [`https://localhost:${port}`, 'FLEETROOT_ENROLLMENT_PORT']
  return ['https://localhost:8443', '--url or FLEETROOT_ENROLLMENT_PORT']
}
