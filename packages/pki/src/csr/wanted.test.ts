import { expect, it } from 'vitest'
import { defaultProfiles } from '../profile/index.ts'
import { encodeWantedAttributes, encodeWantedLinking } from './wanted.ts'

// keyUsage (critical) digitalSignature, extKeyUsage clientAuth
const extensions = '3025300e0603551d0f0101ff04040302078030130603551d25040c300a06082b06010505070302'

it('a device should ask for its extensions; there is a template with a CN to fill in, too', () => {
  const hex = encodeWantedAttributes(defaultProfiles.device).toString('hex')
  // extensionRequest { … }
  expect(hex).toContain(`06092a864886f70d01090e3127${extensions}`)
  // certificationRequestInfoTemplate { 0, { { CN } }, [1] { extensionReqTemplate { … } } }
  expect(hex).toContain('060b2a864886f70d010910023d')
  expect(hex).toContain('0201003009310730050603550403')
  expect(hex).toContain(`060b2a864886f70d010910023e3127${extensions}`)
})

it('where the profile requires linking it should have a challengePassword or estIdentityLinking, and there is no template', () => {
  const hex = encodeWantedAttributes({ ...defaultProfiles.device, requireLinking: true }).toString('hex')
  expect(hex).toMatch(/^30..06092a864886f70d010907060b2a864886f70d010910023a30/)
  expect(hex).not.toContain('060b2a864886f70d010910023d')
})

it('where nothing is known but that it may have to be linked, it should have one of them', () => {
  expect(encodeWantedLinking().toString('hex')).toBe('301806092a864886f70d010907060b2a864886f70d010910023a')
})
