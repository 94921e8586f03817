import type { RsaNumbers } from './public-key.ts'
import type { KeyWeakness } from './weakness.ts'

/** Sizes in bits: what `KeyAlgorithm` names. */
const sizes = [2048, 3072, 4096]

const smallPrimes = primesBelow(752)

/**
 * The primes of the ROCA fingerprint (Nemec et al., "The Return of Coppersmith's Attack", CCS 2017, and
 * CVE-2017-15361), each with the residues that Infineon's RSALib can produce: the powers of 65537. A modulus
 * made otherwise passes for one of theirs once in 2^27.
 */
const rocaResidues = smallPrimes
  .filter((prime) => prime >= 3 && prime <= 167)
  .map((prime) => ({ prime, powers: powersOf65537(prime) }))

/** Rounds of Fermat's method; each finds primes that differ a little more. Chance needs 2^500 of them. */
const fermatRounds = 100

/** What is wrong with the numbers of an RSA key, the cheapest checks first; undefined when nothing was found. */
export function findRsaWeakness({ modulus, exponent }: RsaNumbers): KeyWeakness | undefined {
  const bits = modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24
  if (!sizes.includes(bits)) {
    return { code: 'rsa-modulus-size', detail: `key: RSA has ${bits} bits; use 2048, 3072 or 4096` }
  }
  const e = toBigInt(exponent)
  if (e < 65537n || e % 2n === 0n || exponent.length > 8) {
    // NIST SP 800-89 section 5.3.3 asks for odd and above 2^16.
    return { code: 'rsa-exponent', detail: `key: the RSA exponent is ${e}; use 65537` }
  }
  const factor = smallPrimes.find((prime) => remainder(modulus, prime) === 0)
  if (factor !== undefined) {
    return {
      code: 'rsa-small-factor',
      detail: `key: the RSA modulus is divisible by ${factor}; make a new key`,
    }
  }
  if (rocaResidues.every(({ prime, powers }) => powers.has(remainder(modulus, prime)))) {
    return {
      code: 'rsa-roca',
      detail: 'key: the RSA modulus has the ROCA fingerprint (CVE-2017-15361); make the key elsewhere',
    }
  }
  if (hasClosePrimes(toBigInt(modulus))) {
    return { code: 'rsa-close-primes', detail: 'key: the two RSA primes are too close; make a new key' }
  }
  return undefined
}

/** n mod prime, 16 bits at a time: all integers stay small, which is several times quicker than BigInt. */
function remainder(n: Buffer, prime: number): number {
  let rest = 0
  let at = 0
  if (n.length % 2 === 1) {
    rest = (n[0] ?? 0) % prime
    at = 1
  }
  for (; at < n.length; at += 2) rest = ((rest << 16) | n.readUInt16BE(at)) % prime
  return rest
}

/** Fermat: n = a² − b² with a just above √n, when the primes are close (CVE-2022-26320). */
function hasClosePrimes(n: bigint): boolean {
  let a = squareRoot(n)
  if (a * a < n) a += 1n
  let square = a * a - n
  for (let round = 0; round < fermatRounds; round += 1) {
    if (isSquare(square)) return true
    square += 2n * a + 1n
    a += 1n
  }
  return false
}

/** Squares are 0, 1, 4, 9, 16, 17, 25, 33, 36, 41, 49 or 57 modulo 64; five of six others stop here. */
const squaresModulo64 = new Set(Array.from({ length: 64 }, (_, n) => (n * n) % 64))

function isSquare(n: bigint): boolean {
  if (!squaresModulo64.has(Number(BigInt.asUintN(6, n)))) return false
  const root = squareRoot(n)
  return root * root === n
}

/** ⌊√n⌋ by Newton's method from above. */
function squareRoot(n: bigint): bigint {
  if (n < 2n) return n
  let root = 1n << BigInt((n.toString(16).length * 4 + 1) >> 1)
  for (;;) {
    const next = (root + n / root) >> 1n
    if (next >= root) return root
    root = next
  }
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power)
  return powers
}

function primesBelow(limit: number): number[] {
  const primes: number[] = []
  for (let n = 2; n < limit; n += 1) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes
}

function toBigInt(magnitude: Buffer): bigint {
  return BigInt(`0x${magnitude.toString('hex') || '0'}`)
}
