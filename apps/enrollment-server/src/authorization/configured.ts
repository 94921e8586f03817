import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Config, ServiceError } from '@fleetroot/service'
import type { settings } from '../config/settings.ts'
import { readSecrets } from './signature.ts'
import { type AuthorizationService, createWebhook } from './webhook.ts'

/**
 * The authorization service of the configuration; undefined without one.
 * @throws {ServiceError} `config` when a part of its configuration is missing or unusable
 */
export function configuredAuthorization(
  config: Pick<
    Config<typeof settings>,
    'authorizationUrl' | 'authorizationSecretFile' | 'authorizationTrustFile'
  >,
  now: () => Date,
): AuthorizationService | undefined {
  const { authorizationUrl: url, authorizationSecretFile, authorizationTrustFile } = config
  if (url === undefined) {
    // A file for nothing is a URL that was forgotten: nobody would be asked.
    if (authorizationSecretFile === undefined && authorizationTrustFile === undefined) return undefined
    throw new ServiceError(
      'config',
      'authorizationUrl: is missing, but authorizationSecretFile or authorizationTrustFile is set',
    )
  }
  if (authorizationSecretFile === undefined) {
    throw new ServiceError(
      'config',
      'authorizationSecretFile: is needed with authorizationUrl, to sign what is asked',
    )
  }
  const trust = authorizationTrustFile === undefined ? undefined : readTrust(authorizationTrustFile)
  const secrets = readSecrets(authorizationSecretFile)
  return createWebhook({ url, secrets, now, ...(trust !== undefined && { trust }) })
}

function readTrust(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8')
    // Node would trust nobody, without a word, where a file has no certificate.
    void new X509Certificate(pem)
    return pem
  } catch (error) {
    const why = `cannot be used: ${(error as Error).message}; it must be PEM certificates`
    throw new ServiceError('config', `authorizationTrustFile: ${file} ${why}`, { cause: error })
  }
}
