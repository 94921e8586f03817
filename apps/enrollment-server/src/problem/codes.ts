import { csrProblemKinds } from './csr-codes.ts'

/** What a code always means: the HTTP status, what happened, and what to do about it. */
export interface ProblemKind {
  readonly status: number
  /** One sentence that is the same for every occurrence (RFC 9457 `title`). */
  readonly title: string
  /** What the reader of the message should do. */
  readonly fix: string
}

/**
 * The one vocabulary of refusals: the `code` of every REST problem, the first word of every EST reason, the
 * `code` of every log line. A code is never renamed and never changes its status. docs/enrollment.md lists
 * exactly these; a test compares.
 */
export const problemKinds = {
  'credential-missing': {
    status: 401,
    title: 'The request carries no credential.',
    fix: 'Send the one-time token: HTTP Basic `id:token` in EST, `Authorization: Bearer token` in REST.',
  },
  'credential-malformed': {
    status: 401,
    title: 'The Authorization header cannot be read.',
    fix: 'Send `Basic` with the base64 of `id:token`, or `Bearer` and the token as it was given out.',
  },
  'token-invalid': {
    status: 401,
    title: 'The token is not known, or is not for this device id.',
    fix: 'Check the id and the token; ask the operator for a new token.',
  },
  'token-expired': {
    status: 401,
    title: 'The token was not used in time, or its device was revoked since.',
    fix: 'Ask the operator for a new token.',
  },
  'token-used': {
    status: 401,
    title: 'The token was already exchanged for a certificate, for another key or too long ago.',
    fix: 'If a response was lost, retry with the same key within 10 minutes; otherwise ask for a new token.',
  },
  'certificate-required': {
    status: 403,
    title: 'This request needs a client certificate.',
    fix: 'Connect with the certificate and its key (mutual TLS).',
  },
  'certificate-refused': {
    status: 403,
    title: 'The client certificate proves no identity here.',
    fix: 'Use a certificate of this hierarchy that is valid now; `detail` says what is wrong with this one.',
  },
  'certificate-inactive': {
    status: 403,
    title: 'The client certificate is not known here as valid: unknown, revoked or superseded.',
    fix: 'Use the newest certificate of the device, or enroll again with a token.',
  },
  'role-not-allowed': {
    status: 403,
    title: 'The identity is proven, but its role may not do this.',
    fix: 'Use an identity with the role that `detail` names.',
  },
  'device-unknown': {
    status: 404,
    title: 'No device has this id.',
    fix: 'Register the device first: `POST /v1/devices`.',
  },
  'device-exists': {
    status: 409,
    title: 'A device with this id exists.',
    fix: 'Read it with `GET /v1/devices/{id}`, or choose another id.',
  },
  'device-managed': {
    status: 409,
    title: 'This identity belongs to the server itself.',
    fix: 'Choose another id; the server makes and renews its own identities and the operator’s.',
  },
  'device-inactive': {
    status: 403,
    title: 'The device is suspended or retired.',
    fix: 'Ask the operator to resume it; a retired id does not come back.',
  },
  'device-retired': {
    status: 409,
    title: 'The device is retired, which is for ever.',
    fix: 'Register a device with another id.',
  },
  'profile-unknown': {
    status: 404,
    title: 'No profile has this name.',
    fix: 'Use a label that the refusal lists, or none.',
  },
  'profile-mismatch': {
    status: 403,
    title: 'The device is registered for another profile.',
    fix: 'Leave the label out, or use the profile that the device was registered for.',
  },
  'subject-mismatch': {
    status: 403,
    title: 'A renewal must ask for the same subject, and for the same subjectAltName or none.',
    fix: 'Take the subject of the current certificate; leave the subjectAltName out, or copy it too (RFC 7030, section 4.2.2).',
  },
  'claim-exists': {
    status: 409,
    title: 'The id of the claim is in the inventory.',
    fix: 'Choose another id for the claim.',
  },
  'claim-unknown': {
    status: 404,
    title: 'No claim has this id.',
    fix: 'Look it up in `GET /v1/claims`.',
  },
  'claim-not-for-device': {
    status: 403,
    title: 'The claim is not for this device.',
    fix: 'Register the device with the batch of the claim, or use the claim of its batch.',
  },
  'claim-exhausted': {
    status: 403,
    title: 'The claim has enrolled as many devices as it may.',
    fix: 'Ask the operator for another claim for this batch.',
  },
  'device-enrolled': {
    status: 409,
    title: 'The device has been enrolled; a claim enrolls each device once.',
    fix: 'Renew its certificate; if that is lost, ask for a token. A retry with the same key is answered for 10 minutes.',
  },
  'idevid-refused': {
    status: 403,
    title: 'The certificate is not one of a manufacturer that is configured here, or not fit for this.',
    fix: 'Show the IDevID with the CA certificates that came with it; `detail` says what is wrong with this one.',
  },
  'device-revoked': {
    status: 403,
    title: 'The certificate of the device was revoked; one from the factory does not bring it back.',
    fix: 'Ask the operator for a token.',
  },
  'approval-pending': {
    status: 202,
    title: 'An operator has not decided yet.',
    fix: 'Ask again with the same key, as `Retry-After` says.',
  },
  'approval-denied': {
    status: 403,
    title: 'An operator has denied it.',
    fix: 'Do not ask again before the time in `detail`; ask the operator why.',
  },
  'approval-unknown': {
    status: 404,
    title: 'No request with this key waits, or was decided.',
    fix: 'Look it up in `GET /v1/approvals`; the id is the SHA-256 of the public key, in hexadecimal.',
  },
  'approval-settled': {
    status: 409,
    title: 'It was approved, and the device is in the inventory.',
    fix: 'Suspend, revoke or retire the device instead.',
  },
  'approvals-limited': {
    status: 429,
    title: 'Too many devices wait for an operator.',
    fix: 'Wait as long as `Retry-After` says, or enroll with a token.',
  },
  'key-in-use': {
    status: 409,
    title: 'The public key is certified for another device.',
    fix: 'Make a key on each device; never ship one inside a firmware image.',
  },
  'key-of-authority': {
    status: 403,
    title: 'The public key is the key of a certificate authority.',
    fix: 'Make a key on the device.',
  },
  'key-encryption-unsupported': {
    status: 400,
    title: 'The CSR asks for the key that the server makes to be encrypted beneath TLS.',
    fix: 'Leave the attribute out that `detail` names, or make the key on the device, which is better.',
  },
  'linking-wrong': {
    status: 403,
    title: 'The challengePassword of the CSR is not that of this TLS connection.',
    fix: 'Make the CSR for the connection that it is sent over, with the channel binding that `detail` names, or leave the challengePassword out.',
  },
  'linking-required': {
    status: 403,
    title: 'The profile needs a CSR that is linked to its TLS connection.',
    fix: 'Put the channel binding that `detail` names into the challengePassword, in base64 (RFC 7030, section 3.5).',
  },
  'authorization-denied': {
    status: 403,
    title: 'The authorization service of this fleet said no.',
    fix: 'Read its reason in `detail`; the token is still good once the service allows the device.',
  },
  'authorization-unavailable': {
    status: 503,
    title: 'The authorization service of this fleet gave no answer that counts.',
    fix: 'Retry as `Retry-After` says, with the same key and token; nothing was used up.',
  },
  ...csrProblemKinds,
  'serial-unknown': {
    status: 404,
    title: 'No certificate has this serial number.',
    fix: 'Write the serial in hexadecimal, as the certificate shows it.',
  },
  'authority-unknown': {
    status: 404,
    title: 'No CA has this id.',
    fix: 'Take an id of `GET /v1/ca`.',
  },
  'authority-state': {
    status: 409,
    title: 'The CA is not in the state that this needs.',
    fix: 'Do first what `detail` says.',
  },
  'authority-issuing': {
    status: 409,
    title: 'The CA is the one that issues.',
    fix: 'Rotate first; retire it when its successor issues.',
  },
  'authority-in-use': {
    status: 409,
    title: 'Certificates in use would end with this CA.',
    fix: 'Wait until `detail` counts none, or send `{"force": true}` and enroll those devices again.',
  },
  'authority-refused': {
    status: 400,
    title: 'A certificate is not what a CA here must have, or one is missing.',
    fix: 'Make it as `fleetctl ca rotate` does; `detail` names the certificate.',
  },
  'rotation-pending': {
    status: 409,
    title: 'A CA of this kind is on its way already, or too many are retiring.',
    fix: 'Finish that rotation first: activate the new one, or retire the one that `detail` names.',
  },
  'root-key-absent': {
    status: 409,
    title: 'The key of the root is not on this server, or does not open.',
    fix: 'Sign on the machine that has it: `fleetctl ca rotate --root-key FILE`.',
  },
  'body-missing': {
    status: 400,
    title: 'The request has no body.',
    fix: 'Send the CSR: base64 or PEM in EST, `{"csr": …}` in REST.',
  },
  'body-malformed': {
    status: 400,
    title: 'The body cannot be read.',
    fix: 'Send JSON in REST; base64, PEM or DER in EST.',
  },
  'body-too-large': {
    status: 413,
    title: 'The body is larger than 64 KiB.',
    fix: 'Send one CSR; a CSR is smaller than 10 KiB.',
  },
  'field-invalid': {
    status: 400,
    title: 'A field has a value that it must not have.',
    fix: 'Change the field that `detail` names, as it says.',
  },
  'request-malformed': {
    status: 400,
    title: 'The request is not well-formed HTTP.',
    fix: 'Use an HTTP/1.1 client library.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request did not arrive in time.',
    fix: 'Send the whole request at once.',
  },
  'header-too-large': {
    status: 431,
    title: 'The request header is larger than 16 KiB.',
    fix: 'Send fewer or smaller header fields.',
  },
  'idempotency-key-reused': {
    status: 422,
    title: 'The Idempotency-Key was used for another request.',
    fix: 'Take a new key for every new request, and the same one to repeat a request as it was.',
  },
  'idempotent-answer-secret': {
    status: 409,
    title: 'The request was done before, and its answer held a secret, which is not kept.',
    fix: 'Ask again with a new key; a token that did not arrive expires unused.',
  },
  'content-type-unsupported': {
    status: 415,
    title: 'The body has a media type that is not read here.',
    fix: 'Use `application/pkcs10` in EST, `application/json` in REST.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The path exists, the method does not.',
    fix: 'Use a method of the `Allow` header.',
  },
  'path-unknown': {
    status: 404,
    title: 'Nothing is at this path.',
    fix: 'See docs/enrollment.md or `/v1/openapi.json`.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests from this address.',
    fix: 'Wait as long as `Retry-After` says.',
  },
  'attempts-limited': {
    status: 429,
    title: 'Too many failed tokens from this address.',
    fix: 'Wait as long as `Retry-After` says, and check the token.',
  },
  'renewals-limited': {
    status: 429,
    title: 'The device has as many valid certificates as it may have.',
    fix: 'Use one that it has, renew after two thirds of its life, and wait as long as `Retry-After` says.',
  },
  'streams-limited': {
    status: 503,
    title: 'Too many event streams are open.',
    fix: 'Close one, and wait as long as `Retry-After` says.',
  },
  'registry-unavailable': {
    status: 503,
    title: 'The registry cannot answer; nothing was changed.',
    fix: 'Retry after a while, with the same key and token.',
  },
  internal: {
    status: 500,
    title: 'The server made a mistake; nothing was issued.',
    fix: 'Retry; if it stays, give the operator the `instance` of the answer, or its time.',
  },
} as const satisfies Record<string, ProblemKind>

/** The code of a refusal. */
export type ProblemCode = keyof typeof problemKinds
