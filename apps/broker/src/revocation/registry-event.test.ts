import { describe, expect, test } from 'vitest'
import { readEvent } from './registry-event.ts'

const certificates = [{ issuer: 'devices', serial: '1F0a', reason: 'keyCompromise' }]
const data = (more: object = {}): string =>
  JSON.stringify({
    id: 7,
    type: 'revoked',
    at: '2026-11-21T01:02:03.004Z',
    deviceId: 'pump-7',
    certificates,
    ...more,
  })

describe('an event of the registry', () => {
  test.each([
    ['revoked', 'revoked'],
    ['retired', 'revoked'],
    ['suspended', 'suspended'],
    ['resumed', 'resumed'],
    ['issued', 'none'],
    ['renewed', 'none'],
  ])('of the type %s means %s for its certificates', (type, effect) => {
    expect(readEvent('7', type, data({ type }))).toEqual({
      id: 7,
      type,
      deviceId: 'pump-7',
      effect,
      certificates: [{ issuer: 'devices', serial: '1f0a', reason: 'keyCompromise' }],
    })
  })

  test.each([
    ['', 'revoked', data(), undefined, /id "" is not a number/],
    ['7x', 'revoked', data(), undefined, /"7x" is not a number/],
    ['0', 'revoked', data(), undefined, /not a number/],
    ['99999999999999999999', 'revoked', data(), undefined, /not a number/],
    ['7', 'revoked', '{', 7, /not JSON/],
    ['7', 'revoked', '[]', 7, /data\.: /],
    ['8', 'revoked', data(), 8, /another id, 7/],
    ['7', 'suspended', data(), 7, /another type/],
    ['7', 'exploded', data({ type: 'exploded' }), 7, /"exploded" is no known type/],
    [
      '7',
      'revoked',
      data({ certificates: [{ issuer: 'devices', serial: 'xyz' }] }),
      7,
      /certificates\.0\.serial/,
    ],
    [
      '7',
      'revoked',
      data({ certificates: [{ issuer: 'root', serial: '01' }] }),
      7,
      /certificates\.0\.issuer/,
    ],
    ['7', 'revoked', data({ certificates: 'all' }), 7, /data\.certificates/],
  ])('with the id %j, the type %s and the data %s cannot be read', (id, type, text, known, problem) => {
    expect(readEvent(id, type, text)).toEqual({
      id: known,
      problem: expect.stringMatching(problem) as string,
    })
  })
})
