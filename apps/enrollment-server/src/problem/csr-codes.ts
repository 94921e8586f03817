import type { CsrRefusalCode, PkiErrorCode } from '@fleetroot/pki'
import type { ProblemKind } from './kind.ts'

type CsrErrorCode = Extract<PkiErrorCode, `csr-${string}`>

/**
 * What a CSR is refused with. The compiler keeps this list complete: it has every code that the parser and the
 * check of CSRs can give.
 */
export const csrProblemKinds = {
  'csr-malformed': {
    status: 400,
    title: 'The CSR is not a PKCS#10 request in strict DER.',
    fix: 'Make it with a maintained library; `detail` names the field.',
  },
  'csr-too-large': {
    status: 400,
    title: 'The CSR is larger than 16 KiB.',
    fix: 'Ask for less; only the key and the names are looked at.',
  },
  'csr-key-unsupported': {
    status: 400,
    title: 'The public key is of a kind that is not certified here.',
    fix: 'Use P-256, P-384, Ed25519 or RSA with 2048 to 4096 bits.',
  },
  'csr-signature-algorithm-unsupported': {
    status: 400,
    title: 'The CSR is signed with an algorithm that is not accepted.',
    fix: 'Sign with SHA-256, SHA-384 or SHA-512, or with Ed25519.',
  },
  'csr-signature-invalid': {
    status: 400,
    title: 'The CSR does not prove possession of its private key.',
    fix: 'Sign the CSR with the private key whose public key is in it.',
  },
  'csr-key-weak': {
    status: 400,
    title: 'The public key is weak.',
    fix: 'Make a new key with a good random generator; `detail` says what is weak.',
  },
  'csr-ca-requested': {
    status: 403,
    title: 'The CSR asks for a CA certificate.',
    fix: 'Remove CA:TRUE and the path length from basicConstraints.',
  },
  'csr-common-name-invalid': {
    status: 400,
    title: 'The CSR has not exactly one well-formed CN.',
    fix: 'Use one CN with the device id, or an empty subject.',
  },
  'csr-common-name-other': {
    status: 403,
    title: 'The CN is not the device id of the credential.',
    fix: 'Use the id that the token was made for.',
  },
  'csr-extended-key-usage-not-allowed': {
    status: 403,
    title: 'The CSR asks for a purpose that the profile does not give.',
    fix: 'Remove it from extKeyUsage, or register the device for another profile.',
  },
  'csr-extension-not-allowed': {
    status: 403,
    title: 'The CSR asks for an extension that is not given.',
    fix: 'Remove the extension that `detail` names.',
  },
  'csr-key-usage-not-allowed': {
    status: 403,
    title: 'The CSR asks for a key usage that the profile does not give.',
    fix: 'Remove it from keyUsage.',
  },
  'csr-subject-alt-name-not-allowed': {
    status: 403,
    title: 'The CSR asks for a name that the device was not registered with.',
    fix: 'Remove it from subjectAltName, or register the device with it.',
  },
  'csr-subject-not-allowed': {
    status: 403,
    title: 'The subject holds more than the CN.',
    fix: 'Use a subject with the CN alone.',
  },
} as const satisfies Record<CsrErrorCode | CsrRefusalCode, ProblemKind>
