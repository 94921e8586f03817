import { implicit, sequence } from '../der/index.ts'
import { parseIpAddress, type SubjectAltName } from '../name/index.ts'
import type { ExtendedKeyUsage, KeyUsage } from '../profile/profile.ts'
import { type BasicConstraints, encodeBasicConstraints } from '../extension/basic-constraints.ts'
import { encodeExtendedKeyUsage } from '../extension/extended-key-usage.ts'
import { encodeExtension, type Extension, extensionOids } from '../extension/extension.ts'
import { encodeKeyUsage } from '../extension/key-usage.ts'

/** Extensions as they stood, and what was understood of them. */
interface Understood {
  readonly extensions: readonly Extension[]
  readonly basicConstraints: BasicConstraints | undefined
  readonly keyUsage: readonly KeyUsage[] | undefined
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[] | undefined
  readonly subjectAltNames: readonly SubjectAltName[]
}

/** For fuzz tests: the Extensions, made from what was understood of them and not from their bytes. */
export function encodeExtensionsAgain(understood: Understood): Buffer {
  return sequence(
    ...understood.extensions.map((extension) =>
      encodeExtension({ ...extension, value: meaning(understood, extension.oid) ?? extension.value }),
    ),
  )
}

function meaning(understood: Understood, oid: string): Buffer | undefined {
  const { basicConstraints, keyUsage, extendedKeyUsage, subjectAltNames } = understood
  if (oid === extensionOids.basicConstraints)
    return basicConstraints && encodeBasicConstraints(basicConstraints)
  if (oid === extensionOids.keyUsage) return keyUsage && encodeKeyUsage(keyUsage)
  if (oid === extensionOids.extendedKeyUsage)
    return extendedKeyUsage && encodeExtendedKeyUsage(extendedKeyUsage)
  if (oid === extensionOids.subjectAltName) return sequence(...subjectAltNames.map(encodeAltName))
  return undefined
}

// The reader keeps names that the writer would not make, so the writer cannot be asked.
function encodeAltName({ type, value }: SubjectAltName): Buffer {
  if (type === 'other') return Buffer.from(value, 'hex')
  if (type === 'ip') return implicit(7, parseIpAddress(value))
  return implicit({ email: 1, dns: 2, uri: 6 }[type], Buffer.from(value, 'latin1'))
}
