import type { Given } from './flags.ts'
import type { Settings } from './setting.ts'
import { editDistance } from './spelling.ts'

/** What the environment says: values by key, errors, and warnings about variables that are probably mistakes. */
export interface Environment {
  readonly values: ReadonlyMap<string, Given>
  readonly complaints: readonly string[]
  readonly warnings: readonly string[]
}

/**
 * Reads the declared FLEETROOT_ variables; an empty one counts as not set. The apps of a fleet share one
 * environment, so an unknown FLEETROOT_ variable may be another app's: it is an error only when it is a
 * misspelling of one of ours (FLEETROOT_BROKER_PROT), and a warning when it lacks words of one (FLEETROOT_PORT).
 */
export function readEnvironment(env: Readonly<NodeJS.ProcessEnv>, settings: Settings): Environment {
  const values = new Map<string, Given>()
  const complaints: string[] = []
  const warnings: string[] = []
  const known: string[] = []
  for (const [key, { env: name }] of Object.entries(settings)) {
    if (name === undefined) continue
    known.push(name)
    const value = env[name]
    if (value !== undefined && value !== '') values.set(key, { value, source: name, isText: true })
  }
  for (const name of Object.keys(env)) {
    if (!name.startsWith('FLEETROOT') || known.includes(name)) continue
    const misspelt = known.find((candidate) => isMisspelling(name, candidate))
    const shortened = known.find((candidate) => lacksWords(name, candidate))
    if (misspelt !== undefined) complaints.push(`${name} is not a variable; did you mean ${misspelt}?`)
    else if (shortened !== undefined) warnings.push(`${name} is ignored; did you mean ${shortened}?`)
  }
  return { values, complaints, warnings }
}

/**
 * Word by word, because whole names mislead: FLEETROOT_BROKER_HOST is two letters from FLEETROOT_BROKER_PORT.
 * A short word may differ by one edit, a longer one by two; or only the underscores are wrong.
 */
function isMisspelling(name: string, known: string): boolean {
  const words = name.split('_')
  const knownWords = known.split('_')
  if (words.length !== knownWords.length) return words.join('') === knownWords.join('')
  return words.every((word, index) => {
    const expected = knownWords[index] ?? ''
    return editDistance(word, expected) <= (expected.length <= 4 ? 1 : 2)
  })
}

function lacksWords(name: string, known: string): boolean {
  const knownWords = known.split('_')
  return name.split('_').length > 1 && name.split('_').every((word) => knownWords.includes(word))
}
