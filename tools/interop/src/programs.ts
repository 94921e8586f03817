import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The foreign programs that judge us, each with the Debian package that brings it. */
export const debianPackages = {
  openssl: 'openssl',
  certtool: 'gnutls-bin',
  ocsptool: 'gnutls-bin',
  pki: 'strongswan-pki',
  curl: 'curl',
  faketime: 'faketime',
  keytool: 'default-jre-headless',
  mosquitto_pub: 'mosquitto-clients',
  mosquitto_sub: 'mosquitto-clients',
  script: 'bsdutils',
} as const

export type Program = keyof typeof debianPackages

/** The programs of `wanted` that are not on PATH. */
export function missingPrograms(wanted: readonly Program[]): Program[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return wanted.filter((program) => !folders.some((folder) => existsSync(join(folder, program))))
}

/** The Debian packages that bring `programs`, each once. */
export function packagesFor(programs: readonly Program[]): string[] {
  return [...new Set(programs.map((program) => debianPackages[program]))]
}
