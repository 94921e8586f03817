import { parseCertificate } from '@fleetroot/pki'
import { afterAll, expect, it } from 'vitest'
import { factoryCertificate, openFactory } from '../testing/manufacturer.ts'
import { proveIdevid } from './idevid.ts'

// Two manufacturers who call their CAs the same: what claims to be of the one may be of the other.
const factories = [openFactory('acme'), openFactory('acme')]
afterAll(() => {
  for (const factory of factories) factory.close()
})
const manufacturers = factories.map(({ root }, index) => ({
  name: `acme-${index + 1}`,
  anchors: [parseCertificate(root.pem)],
  identifier: 'serialNumber' as const,
}))

it('all manufacturers together cost a request twelve signatures, and what is not proven by then is not believed', () => {
  const issuing = factories[1]!.issuing
  const device = factoryCertificate(issuing, { serialNumber: 'SN 1' })
  const impostor = factoryCertificate(undefined, { commonName: 'acme Root', isCa: true })
  const proofWith = (forgedCas: number) => {
    const forged = Array.from({ length: forgedCas }, () =>
      factoryCertificate(impostor, { commonName: 'acme Devices', isCa: true }),
    )
    const chain = [device, ...forged, issuing].map(({ pem }) => parseCertificate(pem).der)
    return proveIdevid(chain, manufacturers, new Date())
  }
  // The first manufacturer has signed none of five, the second the last of them, and that the device: 5 + 5 + 1.
  expect(proofWith(4)).toEqual({ ok: true, manufacturer: 'acme-2', serialNumber: 'SN 1' })
  // 6 + 6 + 1.
  expect(proofWith(5)).toMatchObject({ ok: false })
  expect(proofWith(6)).toMatchObject({ ok: false })
})

it('is of the manufacturer whose CA is nearest, in whatever order they are configured', () => {
  const [{ root, issuing }] = factories as [(typeof factories)[number], ...typeof factories]
  const device = factoryCertificate(issuing, { serialNumber: 'SN 1' })
  const chain = [device, issuing].map(({ pem }) => parseCertificate(pem).der)
  const above = { name: 'above', anchors: [parseCertificate(root.pem)], identifier: 'serialNumber' } as const
  const below = { ...above, name: 'below', anchors: [parseCertificate(issuing.pem)] }
  for (const configured of [
    [above, below],
    [below, above],
  ])
    expect(proveIdevid(chain, configured, new Date())).toMatchObject({ ok: true, manufacturer: 'below' })
})

it('is of the one of two with the same CA whose attribute it has, and of none where it has both', () => {
  const [{ root, issuing }] = factories as [(typeof factories)[number], ...typeof factories]
  const anchors = [parseCertificate(root.pem)]
  const configured = [
    { name: 'by-number', anchors, identifier: 'serialNumber' },
    { name: 'by-name', anchors, identifier: 'commonName' },
  ] as const
  const proofOf = (subject: { serialNumber?: string; commonName?: string }) => {
    const chain = [factoryCertificate(issuing, subject), issuing].map(({ pem }) => parseCertificate(pem).der)
    return proveIdevid(chain, configured, new Date())
  }
  expect(proofOf({ serialNumber: 'SN 1' })).toMatchObject({ ok: true, manufacturer: 'by-number' })
  expect(proofOf({ commonName: 'SN 1' })).toMatchObject({ ok: true, manufacturer: 'by-name' })
  expect(proofOf({ serialNumber: 'SN 1', commonName: 'SN 2' })).toEqual({
    ok: false,
    detail: 'it may be of by-number and by-name, which are configured with the same CA',
  })
})
