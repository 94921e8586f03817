import { type CaId, type CaKind, generationOf, kindOf } from './ca-id.ts'

const commonNames: Readonly<Record<CaKind, string>> = {
  root: 'Fleetroot Root CA',
  devices: 'Fleetroot Devices CA',
  services: 'Fleetroot Services CA',
}

/**
 * The common name of a CA. Every generation has a name of its own: RFC 4210 would let a new root keep the name of the old
 * one, but then a verifier must try keys, and some that are built into firmware try only the first.
 */
export function commonNameOf(id: CaId): string {
  const generation = generationOf(id)
  return generation === 1 ? commonNames[kindOf(id)] : `${commonNames[kindOf(id)]} ${generation}`
}
