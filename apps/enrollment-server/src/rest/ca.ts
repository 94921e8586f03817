import type { Certificate } from '@fleetroot/pki'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Authority } from '../authority/authority.ts'
import { resource } from '../http/resource.ts'
import { isoTime } from './device.ts'
import { endpoint } from './endpoint.ts'

const pem = z.string().meta({ description: 'PEM' })
const pems = (description: string) => z.array(pem).meta({ description })

/** What everybody may know of the CAs. */
const bundle = z
  .object({
    root: pem.meta({ description: 'The current root, PEM' }),
    roots: pems('All trusted roots, the current one first'),
    cross: pems(
      'Roots certified by another trusted root, and issuing CAs as another trusted root signed them',
    ),
    issuers: z.object({
      devices: pems('CAs of devices: the issuing one first, then introduced, then retiring ones'),
      services: pems('CAs of services, operators and claims, in the same order'),
    }),
    authorities: z.array(
      z.object({
        id: z.string(),
        kind: z.enum(['root', 'devices', 'services']),
        state: z.enum(['introduced', 'issuing', 'retiring']),
        subjectKeyId: z.string().meta({ description: 'hexadecimal' }),
        notBefore: z.iso.datetime(),
        notAfter: z.iso.datetime(),
        certificate: pem,
      }),
    ),
    trustDomain: z.string(),
  })
  .meta({ description: 'Trust a root only if you have it from elsewhere, or one that you have certified it' })

/** Serves the CA certificates and says which one issues what. */
export function caRoutes(
  app: FastifyInstance,
  { authority, trustDomain }: { authority: Authority; trustDomain: string },
): void {
  const { root, issuers } = authority
  const show = (id: 'root' | 'devices' | 'services', certificate: Certificate) => ({
    id,
    kind: id,
    state: 'issuing' as const,
    subjectKeyId: certificate.subjectKeyId ?? '',
    notBefore: isoTime(certificate.notBefore.getTime()),
    notAfter: isoTime(certificate.notAfter.getTime()),
    certificate: certificate.pem,
  })
  resource(app, '/v1/ca', {
    GET: endpoint({
      access: 'public',
      summary: 'Read the roots and the issuing CAs',
      answer: { status: 200, schema: bundle },
      handle: () => ({
        root: root.pem,
        roots: [root.pem],
        cross: [],
        issuers: { devices: [issuers.devices.certificate.pem], services: [issuers.services.certificate.pem] },
        authorities: [
          show('root', root),
          show('devices', issuers.devices.certificate),
          show('services', issuers.services.certificate),
        ],
        trustDomain,
      }),
    }),
  })
}
