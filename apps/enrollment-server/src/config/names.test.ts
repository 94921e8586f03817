import { expect, it } from 'vitest'
import { splitNames } from './names.ts'

it('host names are told from addresses, and addresses are spelled as certificates spell them', () => {
  expect(splitNames(['localhost', '10.0.0.7', '2001:DB8:0:0::7', '::1', '0::1'])).toEqual({
    dns: ['localhost'],
    ip: ['10.0.0.7', '2001:db8::7', '::1'],
  })
})
