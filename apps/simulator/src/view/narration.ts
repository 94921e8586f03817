import type { Census } from '../accounting/census.ts'
import type { Prepared } from '../fleet/preparation.ts'
import type { Awaited } from '../servers/wait.ts'
import { count, figure, percentileWords } from './words.ts'

/** `enrollment-server (nothing listens there), broker (identity: enrolling)`. */
export function waitingWords(awaited: readonly Awaited[]): string {
  return awaited.map(({ server, readiness }) => `${server.name} (${readiness.detail})`).join(', ')
}

/** What preparing the devices came to. */
export function preparedWords({ devices, reused }: Census, { tokens, due }: Prepared): string {
  const failed = devices - reused - tokens
  return [
    ...(tokens > 0 ? [`${count(tokens, 'device')} registered, a one-time token for each`] : []),
    ...(reused > 0 ? [`${count(reused, 'stored identity', 'stored identities')} reused`] : []),
    ...(due > 0 ? [`${figure(due)} of them due for renewal`] : []),
    ...(failed > 0 ? [`${figure(failed)} failed`] : []),
  ].join(', ')
}

/** What enrolling came to; undefined when every device had an identity already. */
export function enrolledWords(census: Census): string | undefined {
  const expected = census.devices - census.reused
  if (expected === 0) return undefined
  const { enrolled } = census
  const failed = expected > enrolled ? `, ${figure(expected - enrolled)} without` : ''
  const keys = `${count(enrolled, 'key')} made, ${count(enrolled, 'certificate')} enrolled${failed}`
  return columns(keys, percentileWords(census.enroll.percentiles()))
}

/** What connecting came to: how many, over what. */
export function connectedWords(census: Census): string {
  const sessions = [...census.tls.keys()].join(' and ')
  const missing = census.devices - census.connected
  const failed = missing > 0 ? `, ${figure(missing)} not` : ''
  return columns(
    `${figure(census.connected)} connected over ${sessions === '' ? 'nothing' : sessions}${failed}`,
    percentileWords(census.connect.percentiles()),
  )
}

/** What came back on the commands. */
export function commandedWords({ commands }: Census): string {
  return `${figure(commands.answered)} of ${count(commands.sent, 'device')} answered a command, each with its own certificate`
}

function columns(left: string, right: string): string {
  return right === '' ? left : `${left.padEnd(48)}  ${right}`
}
