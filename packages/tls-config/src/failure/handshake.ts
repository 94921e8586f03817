/** Ways to fail that are not about the other side's certificate. */
export type HandshakeFailureCode =
  | 'access-denied'
  | 'connection-closed'
  | 'connection-refused'
  | 'connection-timeout'
  | 'handshake-broken'
  | 'handshake-refused'
  | 'handshake-timeout'
  | 'host-not-found'
  | 'host-unreachable'
  | 'key-mismatch'
  | 'no-certificate'
  | 'no-shared-cipher'
  | 'no-shared-group'
  | 'no-shared-signature-algorithm'
  | 'not-tls'
  | 'own-certificate-expired'
  | 'own-certificate-refused'
  | 'own-certificate-revoked'
  | 'own-certificate-unknown-authority'
  | 'protocol-version'
  | 'unknown-host-name'

/** `PEER` in a sentence becomes "the client" or "the server", whichever the other side is. */
export type Explanation = readonly [HandshakeFailureCode, sentence: string]

const protocolVersion: Explanation = [
  'protocol-version',
  'the two sides share no TLS version: TLS 1.2 and 1.3 are spoken here, or only 1.3 in strict mode; update PEER or use compatible mode.',
]
const notTls: Explanation = [
  'not-tls',
  'PEER does not speak TLS on this port: use https or mqtts, and the TLS port, on both sides.',
]
const noSharedCipher: Explanation = [
  'no-shared-cipher',
  'the two sides share no cipher suite: PEER must offer ECDHE with AES-GCM or ChaCha20-Poly1305.',
]
const noSharedGroup: Explanation = [
  'no-shared-group',
  'the two sides share no key exchange group: PEER must offer X25519MLKEM768, X25519, P-256 or P-384.',
]
const noSharedSignature: Explanation = [
  'no-shared-signature-algorithm',
  'PEER does not accept the signature algorithm of the certificate here: use a P-256 or RSA key.',
]
const closed: Explanation = [
  'connection-closed',
  'PEER closed the connection without giving a reason, which is how some refuse a certificate: see the log of PEER.',
]
const unreachable: Explanation = [
  'host-unreachable',
  'PEER cannot be reached over the network: check route and firewall.',
]
const notFound: Explanation = [
  'host-not-found',
  'the host name of PEER cannot be resolved: check the name and DNS.',
]
const ownRefused: Explanation = [
  'own-certificate-refused',
  'PEER refused the certificate of this side without saying why: see the log of PEER.',
]

const byCode: Readonly<Record<string, Explanation>> = {
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: [
    'no-certificate',
    'PEER sent no certificate, and one is required here: enroll it and configure its key and certificate.',
  ],
  ERR_SSL_UNSUPPORTED_PROTOCOL: protocolVersion,
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: protocolVersion,
  ERR_SSL_VERSION_TOO_LOW: protocolVersion,
  ERR_SSL_NO_SHARED_CIPHER: noSharedCipher,
  ERR_SSL_NO_CIPHERS_AVAILABLE: noSharedCipher,
  ERR_SSL_NO_SUITABLE_KEY_SHARE: noSharedGroup,
  ERR_SSL_NO_SUITABLE_GROUPS: noSharedGroup,
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: noSharedSignature,
  ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS: noSharedSignature,
  ERR_SSL_HTTP_REQUEST: notTls,
  ERR_SSL_HTTPS_PROXY_REQUEST: notTls,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: [
    'key-mismatch',
    'the private key here does not belong to the certificate here: give the key that it was requested with.',
  ],
  ERR_TLS_HANDSHAKE_TIMEOUT: [
    'handshake-timeout',
    'PEER connected but did not finish the TLS handshake in time: it is overloaded, or does not speak TLS.',
  ],
  ECONNRESET: closed,
  EPIPE: closed,
  ECONNREFUSED: [
    'connection-refused',
    'nothing listens at the address of PEER: start it, or check host and port.',
  ],
  ETIMEDOUT: ['connection-timeout', 'PEER did not answer: check address and firewall.'],
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: notFound,
  EAI_AGAIN: notFound,
}

/** By `error.code`, from Node's sockets, Node's TLS and OpenSSL. */
export const explanations: ReadonlyMap<string, Explanation> = new Map(Object.entries(byCode))

/** By alert number (RFC 8446 section 6.2): what the other side says about this one. */
export const alerts: Readonly<Record<number, Explanation>> = {
  40: [
    'handshake-refused',
    'PEER refused the handshake: it requires a certificate from this side (TLS 1.2 has no other word for that), or shares no cipher suite or group.',
  ],
  42: ownRefused,
  43: ownRefused,
  44: [
    'own-certificate-revoked',
    'PEER says that the certificate of this side is revoked: enroll again with a new key.',
  ],
  45: [
    'own-certificate-expired',
    'PEER says that the certificate of this side has expired: renew it, and check the clocks of both machines.',
  ],
  46: ownRefused,
  48: [
    'own-certificate-unknown-authority',
    'PEER does not trust the CA of the certificate of this side: send the issuing CA after it, and let PEER trust its root CA.',
  ],
  49: ['access-denied', 'PEER accepts the certificate of this side but not its owner: ask for access.'],
  51: [
    'handshake-broken',
    'PEER could not verify a signature or a key exchange of this side: the key may be damaged.',
  ],
  70: protocolVersion,
  71: noSharedCipher,
  112: ['unknown-host-name', 'PEER does not serve that host name: check the name that is connected to.'],
  116: [
    'no-certificate',
    'PEER requires a certificate and this side sent none: enroll, and configure key and certificate.',
  ],
}
