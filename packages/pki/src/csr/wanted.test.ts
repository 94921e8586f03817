import { expect, it } from 'vitest'
import { defaultProfiles } from '../profile/index.ts'
import { encodeWantedAttributes } from './wanted.ts'

const extensions = '301f' + '300e0603551d0f0101ff040403020780'
const purposes = (hex: string) => `30${(hex.length / 2 + 7).toString(16).padStart(2, '0')}0603551d2504` + hex

it('the attributes that a device should ask for: its extensions, and a template with a CN to fill in', () => {
  const hex = encodeWantedAttributes(defaultProfiles.device).toString('hex')
  const clientAuth = purposes('0c300a06082b06010505070302').replace('301406', '301306')
  const list = `${extensions.slice(0, 2)}25${extensions.slice(4)}${clientAuth}`
  // extensionRequest { keyUsage digitalSignature, extKeyUsage clientAuth }
  expect(hex).toContain(`06092a864886f70d01090e31${'27'}${list}`)
  // certificationRequestInfoTemplate { 0, { { CN } }, [1] { extensionReqTemplate { … } } }
  expect(hex).toContain('060b2a864886f70d010910023d')
  expect(hex).toContain(`020100300931073005${'0603550403'}`)
  expect(hex).toContain(`060b2a864886f70d010910023e31${'27'}${list}`)
})

it('where the profile requires linking, challengePassword by its OID and no template', () => {
  const hex = encodeWantedAttributes({ ...defaultProfiles.device, requireLinking: true }).toString('hex')
  expect(hex).toMatch(/^30..06092a864886f70d010907/)
  expect(hex).not.toContain('060b2a864886f70d010910023d')
})
