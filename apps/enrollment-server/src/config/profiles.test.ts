import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultProfiles, parseProfile } from '@fleetroot/pki'
import { loadConfig } from '@fleetroot/service'
import { afterAll, expect, it } from 'vitest'
import { configuredProfiles, registrableProfiles } from './profiles.ts'
import { settings } from './settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'fleetroot-profiles-'))
const file = join(folder, 'enrollment.yaml')
afterAll(() => rmSync(folder, { recursive: true }))

function load(yaml: string, ...more: string[]) {
  writeFileSync(file, yaml)
  const argv = [`--config=${file}`, ...more]
  return loadConfig({ app: 'enrollment-server', version: '1', summary: '', settings, argv, env: {} })
}

function profilesOf(yaml: string) {
  const loaded = load(yaml)
  if (loaded.kind !== 'config') throw new Error(loaded.text)
  return configuredProfiles(loaded.config, loaded.config.profiles)
}

const gateway = `
deviceLifetime: 7d
profiles:
  gateway:
    issuer: devices
    role: device
    extendedKeyUsage: [clientAuth, serverAuth]
    subjectAltNames: [dns]
    lifetimeSeconds: 86400
`

it('a profile in the file stands beside those that are built in, with what it leaves out filled in', () => {
  const profiles = profilesOf(gateway)
  expect([...profiles.keys()]).toEqual(['device', 'service', 'broker', 'operator', 'claim', 'gateway'])
  expect(profiles.get('device')?.lifetimeSeconds).toBe(7 * 86_400)
  expect(profiles.get('gateway')).toEqual({
    ...defaultProfiles.device,
    name: 'gateway',
    extendedKeyUsage: ['clientAuth', 'serverAuth'],
    subjectAltNames: ['dns'],
    lifetimeSeconds: 86_400,
  })
})

it('devices can be registered for it, and for nothing that makes operators', () => {
  const names = registrableProfiles(profilesOf(gateway)).map(({ name }) => name)
  expect(names).toEqual(['device', 'service', 'broker', 'gateway'])
})

it('without the section there are the built-in profiles alone', () => {
  expect([...profilesOf('deviceLifetime: 1d\n').keys()]).toEqual([
    'device',
    'service',
    'broker',
    'operator',
    'claim',
  ])
})

it('what --print-config prints is what a file can hold', () => {
  const printed = load(gateway, '--print-config')
  expect(printed).toMatchObject({ kind: 'print' })
  if (printed.kind === 'print') expect(profilesOf(printed.text)).toEqual(profilesOf(gateway))
})

const written = 'issuer: devices, role: device, extendedKeyUsage: [clientAuth], lifetimeSeconds: 86400'

it.each([
  ['a list', 'profiles: []', / profiles=\[\]: must be a mapping /],
  ['no fields', 'profiles: { gateway: 7 }', / gateway=7: profile must be an object /],
  ['the name of a built-in one', `profiles: { service: { ${written} } }`, / service: name must not be the /],
  ['the name of the broker’s', `profiles: { broker: { ${written} } }`, / broker: name must not be the /],
  [
    'a name for itself',
    `profiles: { gw: { name: gw, ${written} } }`,
    / gw.name="gw": is the key of the section/,
  ],
  [
    'a name in capitals',
    `profiles: { Gateway: { ${written} } }`,
    / Gateway: name must be 1 to 32 lower-case /,
  ],
  [
    'an unknown field',
    `profiles: { gw: { ca: true, ${written} } }`,
    / gw.ca=true: is not a field of a profile; /,
  ],
  [
    'no lifetime',
    'profiles: { gw: { issuer: devices, role: device, extendedKeyUsage: [clientAuth] } }',
    / gw: lifetimeSeconds must be a whole number of seconds from 60 to 315360000 /,
  ],
  [
    'the wrong CA for its role',
    `profiles: { gw: { ${written.replace('devices', 'services')} } }`,
    / gw.issuer="services": must be devices for the role device /,
  ],
  [
    'a role that no token gives',
    'profiles: { boss: { issuer: services, role: operator, extendedKeyUsage: [clientAuth], lifetimeSeconds: 60 } }',
    / boss.role="operator": must be device or service; the others are built in /,
  ],
])('%s is refused, with file, line and what to do', (_what, yaml, complaint) => {
  expect(() => load(`\n${yaml}\n`)).toThrow(complaint)
  expect(() => load(`\n${yaml}\n`)).toThrow(`${file} line 2: profiles`)
})

it('a field that is wrong is named with its own line', () => {
  const yaml = `profiles:\n  good: { ${written} }\n  gw:\n    issuer: devices\n    role: boss\n`
  expect(() => load(yaml)).toThrow(/line 5: profiles gw\.role="boss": must be /)
})

it('every profile that is wrong is named at once', () => {
  expect(() => load(`profiles: { A: { ${written} }, b: { ${written}, cn: x } }`)).toThrow(
    /2 settings are wrong.*\n.* A: name must .*\n.* b.cn="x": is not a field /,
  )
})

it('the documentation shows a file that is taken, and lists every field', () => {
  const document = readFileSync(join(import.meta.dirname, '../../../../docs/enrollment.md'), 'utf8')
  const section = /^## Profiles$([\s\S]*?)^## /m.exec(document)?.[1] ?? ''
  const example = /^```yaml\n([\s\S]*?)^```/m.exec(section)?.[1] ?? ''
  expect(profilesOf(example).get('gateway')).toMatchObject({ role: 'device', lifetimeSeconds: 7 * 86_400 })
  const listed = [...section.matchAll(/^\| `(\w+)` /gm)].map(([, field]) => field)
  // The name is the key above them.
  expect(new Set(['name', ...listed])).toEqual(new Set(knownFields()))
})

/** The fields that a refusal lists. */
function knownFields(): string[] {
  try {
    parseProfile({ x: 1 })
  } catch (error) {
    return (/known: (.*)$/.exec((error as Error).message)?.[1] ?? '').split(', ')
  }
  return []
}
