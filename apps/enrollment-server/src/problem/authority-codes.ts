import type { ProblemKind } from './kind.ts'

/** What is wrong with a change of certificates and CAs. */
export const authorityProblemKinds = {
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
} as const satisfies Record<string, ProblemKind>
