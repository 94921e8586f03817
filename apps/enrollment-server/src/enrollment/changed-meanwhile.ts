/** Refusals of the registry, whose state changed between the decision and the commit. */
export const changedMeanwhile = {
  'token-used':
    'token: another request used it first; retry with the key of that request, or ask for a new one',
  'token-expired': 'token: it expired; ask for a new one',
  'device-unknown': 'id: it is not in the inventory',
  'device-inactive': 'id: it is suspended or retired',
  'key-in-use': 'csr: its public key is certified for another device',
  'certificate-inactive': 'client certificate: it was revoked',
  'renewals-limited':
    'client certificate: its device has 100 that are valid; use one of them until others expire',
  'claim-exists': 'id: another request has made this claim; read it, or choose another id',
  'claim-exhausted': 'claim: others have used up what was left of it',
  'claim-not-for-device': 'csr: its CN is not a device of the batch of this claim',
  'approval-unknown': 'approval: it is over, or was taken back; ask again',
  'device-revoked': 'id: the certificate of this device was revoked; ask the operator for a token',
  'device-enrolled': 'id: another request enrolled it first; renew its certificate, or enroll with a token',
} as const
