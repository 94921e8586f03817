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
  mosquitto_rr: 'mosquitto-clients',
  'paho-mqtt': 'python3-paho-mqtt',
  'redis-server': 'redis-server',
  script: 'bsdutils',
  promtool: 'prometheus',
  'systemd-analyze': 'systemd',
  'systemd-sysusers': 'systemd',
  sqlite3: 'sqlite3',
  bash: 'bash',
  fish: 'fish',
  zsh: 'zsh',
  cc: 'build-essential',
  make: 'build-essential',
  libc: 'libc6-dev',
  mbedtls: 'libmbedtls-dev',
  wolfssl: 'libwolfssl-dev',
  'gnutls-cli': 'gnutls-bin',
} as const

export type Program = keyof typeof debianPackages

/** What is not a program of its own: where Debian puts it. */
const libraries: Partial<Record<Program, string>> = {
  'paho-mqtt': '/usr/lib/python3/dist-packages/paho/mqtt/client.py',
  libc: '/usr/include/stdio.h',
  mbedtls: '/usr/include/mbedtls/ssl.h',
  wolfssl: '/usr/include/wolfssl/ssl.h',
}

/** Debian's own Python, which finds Debian's libraries, whatever other Python is first on PATH. */
export const python = '/usr/bin/python3'

/** The programs of `wanted` that are not on PATH. */
export function missingPrograms(wanted: readonly Program[]): Program[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return wanted.filter((program) => {
    const library = libraries[program]
    return library === undefined
      ? !folders.some((folder) => existsSync(join(folder, program)))
      : !existsSync(library)
  })
}

/** The Debian packages that bring `programs`, each once. */
export function packagesFor(programs: readonly Program[]): string[] {
  return [...new Set(programs.map((program) => debianPackages[program]))]
}
