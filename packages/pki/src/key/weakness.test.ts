import { checkPrimeSync, createPublicKey, generateKeyPairSync, generatePrimeSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bitString, integer, nullValue, oid, sequence } from '../der/index.ts'
import { keyAlgorithms } from './algorithm.ts'
import { generateKeyPair } from './generate.ts'
import { exportPublicKey, importPublicKey } from './public-key.ts'
import { findKeyWeakness } from './weakness.ts'

/** A public key with these numbers. Nobody needs the private half to have it certified by a careless CA. */
function rsaKey(modulus: bigint, exponent = 65537n) {
  const algorithm = sequence(oid('1.2.840.113549.1.1.1'), nullValue())
  return importPublicKey(sequence(algorithm, bitString(sequence(integer(modulus), integer(exponent)))))
}

/** The product of two good primes, with exactly this many bits. */
function rsaModulus(bits: number): bigint {
  for (;;) {
    const [p, q] = [
      generatePrimeSync(bits / 2, { bigint: true }),
      generatePrimeSync(bits / 2, { bigint: true }),
    ]
    if ((p * q) >> BigInt(bits - 1) === 1n) return p * q
  }
}

/**
 * A prime as Infineon's RSALib made them (Nemec et al., section 2.2): k·M + (65537^a mod M), M the product of
 * the first 126 primes for a 2048-bit key.
 */
function rocaPrime(a: bigint): bigint {
  const product = firstPrimes(126).reduce((all, prime) => all * prime, 1n)
  let rest = 1n
  for (let n = 0n; n < a; n += 1n) rest = (rest * 65537n) % product
  for (let k = (7n << 1021n) / product; ; k += 1n) {
    const candidate = k * product + rest
    if (checkPrimeSync(candidate)) return candidate
  }
}

function firstPrimes(count: number): bigint[] {
  const primes: bigint[] = []
  for (let n = 2n; primes.length < count; n += 1n) if (primes.every((p) => n % p !== 0n)) primes.push(n)
  return primes
}

describe('a public key', () => {
  it.each(keyAlgorithms)('of kind %s, newly made, has no weakness', (algorithm) => {
    expect(findKeyWeakness(generateKeyPair(algorithm).publicKey)).toBeUndefined()
  })

  const modulus = rsaModulus(2048)

  it('with a good RSA modulus has no weakness', () => {
    expect(findKeyWeakness(rsaKey(modulus))).toBeUndefined()
    expect(findKeyWeakness(rsaKey(modulus, 65539n))).toBeUndefined()
  })

  it('is looked at once: whoever asks again gets the verdict that was kept', () => {
    const [good, weak] = [rsaKey(modulus), rsaKey(modulus, 3n)]
    const verdict = findKeyWeakness(weak)
    expect(findKeyWeakness(good)).toBeUndefined()
    // What is read of a key is gone now; a second look would find no numbers.
    exportPublicKey(good).fill(0)
    expect(findKeyWeakness(good)).toBeUndefined()
    expect(findKeyWeakness(weak)).toBe(verdict)
  })

  it.each([1024, 2040, 2047, 2049, 2056])('of RSA with %i bits is refused', (bits) => {
    const sized = (1n << BigInt(bits - 1)) + 1n
    expect(findKeyWeakness(rsaKey(sized))).toEqual({
      code: 'rsa-modulus-size',
      detail: `key: RSA has ${bits} bits; use 2048, 3072 or 4096`,
    })
  })

  it.each([1n, 3n, 17n, 65535n, 65536n, 65538n, 1n << 63n])(
    'with the RSA exponent %s is refused',
    (exponent) => {
      expect(findKeyWeakness(rsaKey(modulus, exponent))).toEqual({
        code: 'rsa-exponent',
        detail: `key: the RSA exponent is ${exponent}; use 65537`,
      })
    },
  )

  it.each([2n, 3n, 5n, 167n, 173n, 751n])('with an RSA modulus that %s divides is refused', (factor) => {
    let rest = ((1n << 2047n) / factor) | 1n
    do rest += 2n
    while (firstPrimes(140).some((prime) => rest % prime === 0n))
    expect(findKeyWeakness(rsaKey(rest * factor))).toEqual({
      code: 'rsa-small-factor',
      detail: `key: the RSA modulus is divisible by ${factor}; make a new key`,
    })
  })

  it('with the ROCA fingerprint is refused', () => {
    expect(findKeyWeakness(rsaKey(rocaPrime(5n) * rocaPrime(1234n)))).toEqual({
      code: 'rsa-roca',
      detail: 'key: the RSA modulus has the ROCA fingerprint (CVE-2017-15361); make the key elsewhere',
    })
  })

  it('whose RSA primes are neighbours is refused', () => {
    const p = generatePrimeSync(1024, { bigint: true })
    let q = p + 2n
    while (!checkPrimeSync(q)) q += 2n
    expect(findKeyWeakness(rsaKey(p * q))).toMatchObject({ code: 'rsa-close-primes' })
    expect(findKeyWeakness(rsaKey(p * p))).toMatchObject({ code: 'rsa-close-primes' })
  })

  it.each([
    ['secp521r1', 'curve-unsupported'],
    ['secp256k1', 'curve-unsupported'],
  ])('on the curve %s is refused', (namedCurve, code) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve })
    expect(findKeyWeakness(publicKey)?.code).toBe(code)
    expect(findKeyWeakness(publicKey)?.detail).toContain(`curve ${namedCurve} is not supported; use P-256`)
  })

  it('of a kind that cannot sign certificates here is refused', () => {
    for (const { publicKey } of [
      generateKeyPairSync('x25519'),
      generateKeyPairSync('ed448'),
      generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
    ]) {
      expect(findKeyWeakness(publicKey)?.code).toBe('key-algorithm-unsupported')
    }
  })

  it.each([
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  ])('of Ed25519 at the small-order point %s is refused', (point) => {
    const spki = Buffer.from(`302a300506032b6570032100${point}`, 'hex')
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    expect(findKeyWeakness(publicKey)?.code).toBe('ed25519-small-order')
  })
})
