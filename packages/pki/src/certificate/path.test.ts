import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PkiError } from '../error.ts'
import { type Certificate, parseCertificate, type PathValidation, validatePath } from './index.ts'

/** x509-limbo (trailofbits): the vectors lie beside the repository and are not needed to build it. */
const vectors = join(import.meta.dirname, '../../../../../shared/vectors/x509-limbo.json')

interface Case {
  readonly id: string
  readonly trusted_certs: readonly string[]
  readonly untrusted_intermediates: readonly string[]
  readonly peer_certificate: string
  readonly validation_time: string | null
  readonly expected_result: 'SUCCESS' | 'FAILURE'
}

function judge({
  peer_certificate,
  trusted_certs,
  untrusted_intermediates,
  validation_time,
}: Case): PathValidation {
  const parse = (pem: string): Certificate[] => {
    try {
      return [parseCertificate(pem)]
    } catch (error) {
      if (error instanceof PkiError) return []
      throw error
    }
  }
  const [leaf] = parse(peer_certificate)
  if (!leaf) return { ok: false, detail: 'malformed', isNamed: false }
  return validatePath(leaf, {
    anchors: trusted_certs.flatMap(parse),
    intermediates: untrusted_intermediates.flatMap(parse),
    now: validation_time === null ? new Date() : new Date(validation_time),
  })
}

/**
 * What is wrong there: the names and purposes of a server, its being a CA (for the caller to look at), revocation, a limit
 * of the test itself, and form that harms nobody: key identifiers that are missing or odd, extensions that are not critical.
 */
const elsewhere =
  /^(?:crl|pathlen::max-chain-depth|(?:rfc5280|webpki)::(?:san|cn|eku|aki|ski)|webpki::(?:ca-as-leaf|ee-basicconstraints-ca)$|rfc5280::(?:ca-as-leaf-wrong-san|leaf-ku-keycertsign|nc::not-allowed-in-ee-noncritical|pc::ica-noncritical-pc|root-non-critical-basic-constraints)$)/

describe.skipIf(!existsSync(vectors))('the paths of x509-limbo', () => {
  const cases = existsSync(vectors)
    ? (JSON.parse(readFileSync(vectors, 'utf8')) as { testcases: Case[] }).testcases
    : []
  const verdicts = cases.map((each) => ({ ...each, path: judge(each) }))

  it('are accepted only where they should be, or where something is wrong that is not looked at here', () => {
    const accepted = verdicts.filter(({ path, expected_result }) => path.ok && expected_result === 'FAILURE')
    expect(
      accepted
        .map(({ id }) => id)
        .filter((id) => !elsewhere.test(id))
        .toSorted(),
    ).toEqual([])
  })

  it('are refused where they should not be only for what is not understood here', () => {
    const refused = verdicts.flatMap(({ id, path, expected_result }) =>
      !path.ok && expected_result === 'SUCCESS' ? [`${id}: ${path.detail}`] : [],
    )
    const constrained =
      /^(?:rfc5280|webpki)::nc::.* (?:nameConstraints, which is|name constraints, which are) not/
    expect(refused.filter((line) => !constrained.test(line))).toEqual([
      // Its last half second, of which the certificate says nothing.
      'rfc5280::validity::notafter-fractional: it has expired at 2024-04-01T00:00:00.000Z',
      // Its root is signed with SHA-1.
      'online::fastly.com: it leads to no trusted CA (issuer: CN=Certainly Intermediate R1,O=Certainly,C=US)',
    ])
  })
})
