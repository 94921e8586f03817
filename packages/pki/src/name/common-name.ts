import { attributeTypes } from './attribute.ts'
import type { Name } from './name.ts'

/** Why a name has no usable common name. */
export type CommonNameRefusalCode =
  | 'common-name-duplicate'
  | 'common-name-encoding'
  | 'common-name-missing'
  | 'name-multi-valued'

/** The one common name, or why there is none. */
export type SoleCommonName =
  | { readonly commonName: string }
  | { readonly refused: CommonNameRefusalCode; readonly detail: string }

/** Every CN of a name, in its order, however many there are and whatever string type they have. */
export function commonNames(name: Name): string[] {
  return name
    .flat()
    .filter(({ type }) => type === attributeTypes.CN)
    .map(({ value }) => value)
}

/**
 * The common name on which an identity may rest: exactly one CN, alone in its RDN as every RDN of the name
 * must be, and a UTF8String or PrintableString. Programs disagree about all other shapes (the first CN or the
 * last, how Teletex is read), and an identity must not depend on who reads it.
 */
export function soleCommonName(name: Name): SoleCommonName {
  let found: Name[number][number] | undefined
  let count = 0
  for (const rdn of name) {
    const [attribute] = rdn
    if (attribute === undefined || rdn.length > 1) {
      return { refused: 'name-multi-valued', detail: 'subject: has an RDN with more than one attribute' }
    }
    if (attribute.type !== attributeTypes.CN) continue
    found ??= attribute
    count += 1
  }
  if (found === undefined) return { refused: 'common-name-missing', detail: 'subject: has no CN' }
  if (count > 1) {
    return { refused: 'common-name-duplicate', detail: `subject: has ${count} CNs, must have one` }
  }
  if (found.encoding !== 'utf8' && found.encoding !== 'printable') {
    return {
      refused: 'common-name-encoding',
      detail: 'subject: the CN must be UTF8String or PrintableString',
    }
  }
  return { commonName: found.value }
}
