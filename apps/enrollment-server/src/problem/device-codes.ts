import type { ProblemKind } from './kind.ts'

/** What is wrong with the device, or its profile, that a request is about. */
export const deviceProblemKinds = {
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
} as const satisfies Record<string, ProblemKind>
