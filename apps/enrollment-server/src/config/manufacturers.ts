import { loadTrust } from '@fleetroot/tls-config'
import { z } from 'zod'
import type { Manufacturer } from '../admission/idevid.ts'

/**
 * The section `manufacturers` of the configuration, by name: the file with the CAs that its certificates lead to, and which attribute
 * of their subject says which device it is.
 */
export const manufacturerSection = z
  .record(
    z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, {
      error: 'the name of a manufacturer must be 1 to 32 lower-case letters, digits or "-"',
    }),
    z.strictObject({
      trust: z.string({ error: 'must be the file with the CA certificates of the manufacturer, PEM' }).min(1),
      identifier: z
        .enum(['serialNumber', 'commonName'], { error: 'must be serialNumber or commonName' })
        .default('serialNumber'),
    }),
  )
  .prefault({})

/**
 * Reads the CAs of the configured manufacturers.
 * @throws {TlsConfigError} for a file that cannot be read or holds no CA certificates
 */
export function loadManufacturers(section: z.output<typeof manufacturerSection>): Manufacturer[] {
  return Object.entries(section).map(([name, { trust, identifier }]) => ({
    name,
    identifier,
    anchors: loadTrust(trust),
  }))
}
