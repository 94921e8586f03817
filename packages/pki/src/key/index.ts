export { detectKeyAlgorithm, keyAlgorithm, type KeyAlgorithm, keyAlgorithms } from './algorithm.ts'
export { generateKeyPair, generateKeyPairAsync, type KeyPair } from './generate.ts'
export { encryptPbes2, encryptPkcs8, pbes2Oids, type Pbes2Options } from './pbes2.ts'
export { exportPrivateKey, importPrivateKey } from './private-key.ts'
export { exportPublicKey, importPublicKey, publicKeyFingerprint, readPublicKey } from './public-key.ts'
export {
  type CryptoThread,
  encodeSignatureAlgorithm,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  signatureFitsKey,
  signatureHash,
  verifySignature,
  verifySignatureSync,
} from './signature.ts'
export { keySigner, signatureAlgorithmFor, type Signer } from './signer.ts'
export { findKeyWeakness, type KeyWeakness, type KeyWeaknessCode } from './weakness.ts'
