import { expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { issueLeaf, makeIssuing, makeRoot } from '../testing/hierarchy.ts'
import type { Certificate } from './certificate.ts'
import type { Issuer } from './issuer.ts'
import { type PathMaterial, validatePath } from './path.ts'

const now = new Date()
const leafWish = { id: 'pump-7', trustDomain: 'fleet.example' }

/** A certificate that says it was issued by `issuer`, whoever has signed it. */
function saidToBeOf({ certificate: { subjectKeyId } }: Issuer, certificate: Certificate): Certificate {
  if (subjectKeyId === undefined) throw new Error('every CA has a key identifier')
  return altered(certificate, { authorityKeyId: subjectKeyId })
}

/** The verdict on a certificate, and how many signatures it took. */
function judge(leaf: Certificate, material: Omit<PathMaterial, 'now' | 'budget'>, signatures = 12) {
  const budget = { signatures }
  const path = validatePath(leaf, { ...material, now, budget })
  return { verdict: path.ok ? 'good' : path.detail, verified: signatures - budget.signatures }
}

it('verifies one signature for each certificate of a good path, whatever comes along', async () => {
  const root = await makeRoot({ commonName: 'Root' })
  const issuing = await makeIssuing(root, { commonName: 'Issuing' })
  const others = await Promise.all(['A', 'B', 'C'].map((commonName) => makeIssuing(root, { commonName })))
  const { certificate } = await issueLeaf(issuing, leafWish)
  const anchors = [root.certificate]
  const intermediates = [...others, root, issuing, issuing].map((each) => each.certificate)
  expect(judge(certificate, { anchors, intermediates })).toEqual({ verdict: 'good', verified: 2 })
})

it('verifies nothing with the key of a CA that no genuine one vouches for', async () => {
  const [root, impostor] = await Promise.all(['Root', 'Root'].map((commonName) => makeRoot({ commonName })))
  const [issuing, other] = await Promise.all(
    [impostor!, impostor!].map((by) => makeIssuing(by, { commonName: 'Issuing' })),
  )
  // Both links are broken: what is said is what breaks next to the anchor, and the other was not looked at.
  const { certificate } = await issueLeaf(other!, leafWish)
  const leaf = saidToBeOf(issuing!, certificate)
  const intermediates = [saidToBeOf(root!, issuing!.certificate)]
  expect(judge(leaf, { anchors: [root!.certificate], intermediates })).toEqual({
    verdict: 'its CA CN=Issuing was not signed by CN=Root',
    verified: 1,
  })
  // Where the CA between is genuine, it is the other one.
  const genuine = await makeIssuing(root!, { commonName: 'Issuing' })
  const below = { anchors: [root!.certificate], intermediates: [genuine.certificate] }
  expect(judge(saidToBeOf(genuine, certificate), below)).toEqual({
    verdict: 'it was not signed by CN=Issuing',
    verified: 2,
  })
})

it('verifies nothing at all where no name leads to an anchor', async () => {
  const root = await makeRoot({ commonName: 'Root' })
  const other = await makeRoot({ commonName: 'Other' })
  const issuing = await makeIssuing(root, { commonName: 'Issuing' })
  const { certificate } = await issueLeaf(issuing, leafWish)
  const intermediates = [issuing.certificate, root.certificate]
  expect(judge(certificate, { anchors: [other.certificate], intermediates })).toEqual({
    verdict: 'it leads to no trusted CA (issuer: CN=Issuing)',
    verified: 0,
  })
})

it('verifies no more signatures than it may, and then nothing is good any more', async () => {
  const [root, impostor] = await Promise.all(['Root', 'Root'].map((commonName) => makeRoot({ commonName })))
  const genuine = await makeIssuing(root!, { commonName: 'Issuing' })
  const { certificate } = await issueLeaf(genuine, leafWish)
  // Each says that it is the CA that is named: whoever makes one up takes its key identifier, too.
  const forged = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const one = await makeIssuing(impostor!, { commonName: 'Issuing' })
      const { subjectKeyId } = genuine.certificate
      return altered(saidToBeOf(root!, one.certificate), subjectKeyId === undefined ? {} : { subjectKeyId })
    }),
  )
  const material = { anchors: [root!.certificate], intermediates: [...forged, genuine.certificate] }
  expect(judge(certificate, material, 6)).toEqual({ verdict: 'good', verified: 6 })
  expect(judge(certificate, material, 5)).toEqual({
    verdict: 'too many signatures would have to be verified to say whether CN=Issuing has signed it',
    verified: 5,
  })
  expect(judge(certificate, material, 0).verified).toBe(0)
})
