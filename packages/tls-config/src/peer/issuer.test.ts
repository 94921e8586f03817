import { altered, makeRoot } from '@fleetroot/pki/testing'
import { expect, test } from 'vitest'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { findIssuer } from './issuer.ts'

const createCa = () => makeRoot({ commonName: 'Devices' })

test('two generations of a CA, with the same name and other keys, are told apart', async () => {
  const [older, newer] = [await createCa(), await createCa()]
  const issuers = [older, newer].map(({ certificate }) => ({ certificate, roles: ['device'] as const }))
  const { certificate } = await unusualCertificate(newer, {})
  expect(findIssuer(certificate, issuers)?.certificate).toBe(newer.certificate)
  expect(findIssuer(certificate, issuers.slice(0, 1))).toBeUndefined()
})

test('neither the name nor the key identifier is enough by itself', async () => {
  const ca = await createCa()
  const issuers = [{ certificate: ca.certificate, roles: ['device'] as const }]
  const { certificate } = await unusualCertificate(ca, {})
  expect(findIssuer(altered(certificate, { issuerDer: certificate.subjectDer }), issuers)).toBeUndefined()
  expect(findIssuer(altered(certificate, { authorityKeyId: undefined }), issuers)).toBeUndefined()
  const nameless = [{ certificate: altered(ca.certificate, { subjectKeyId: undefined }), roles: [] }]
  expect(findIssuer(altered(certificate, { authorityKeyId: undefined }), nameless)).toBeUndefined()
})
