import type { Percentiles } from '../accounting/latency.ts'
import type { FleetReport } from '../report/report.ts'
import { count, elapsed, figure, latency, line } from './words.ts'

/** The last lines of a run: what it proved, in words that the counts below them carry. */
export function summaryLines(report: FleetReport, reportFile: string | undefined): string[] {
  const { devices, enrolled, reused, connected, commands } = report
  const sessions = Object.entries(report.tls)
    .map(([session, connections]) =>
      Object.keys(report.tls).length > 1 ? `${connections} ${session}` : session,
    )
    .join(', ')
  const unacknowledged = report.published - report.acknowledged
  return [
    '',
    line(
      report.ok ? 'proven' : 'not proven',
      `in ${elapsed(report.durationMs)}, seed ${report.seed}, run ${report.run}`,
    ),
    line(
      '  identity',
      `${figure(enrolled + reused)} of ${count(devices, 'device')} with a certificate for a key of its own: ${figure(enrolled)} new, ${figure(reused)} reused` +
        (report.renewed > 0 ? `, ${count(report.renewed, 'renewal')} while connected` : ''),
    ),
    line(
      '  session',
      `${figure(connected)} of ${figure(devices)} connected over mutual TLS${sessions === '' ? '' : ` (${sessions})`}, ${figure(report.refused)} refused`,
    ),
    line('  command', `${figure(commands.answered)} of ${count(commands.sent, 'command')} answered`),
    line(
      '  message',
      `${figure(report.acknowledged)} acknowledged, ${figure(report.lost)} lost, ${figure(report.duplicated)} duplicated` +
        (unacknowledged > 0 ? `, ${figure(unacknowledged)} never acknowledged` : ''),
    ),
    ...latencyTable(report),
    ...errorLines(report),
    ...(reportFile === undefined ? [] : [line('report', reportFile)]),
  ]
}

function latencyTable(report: FleetReport): string[] {
  const rows: [string, Percentiles][] = [
    ['enroll', report.enrollMs],
    ['connect', report.connectMs],
    ['deliver', report.deliveryMs],
  ]
  const cells = (words: string[]) => words.map((word) => word.padStart(10)).join('')
  return [
    line('latency', cells(['p50', 'p90', 'p99', 'max']).slice(2)),
    ...rows
      .filter(([, percentiles]) => percentiles.count > 0)
      .map(([name, { p50, p90, p99, max }]) =>
        line(`  ${name}`, cells([p50, p90, p99, max].map(latency)).slice(2)),
      ),
  ]
}

function errorLines(report: FleetReport): string[] {
  const shown = report.errors.slice(0, 3).map((error) => {
    const who = error.device === undefined ? '' : `${error.device}: `
    return line('error', `${who}${error.message} (${error.phase}, ${error.code})`)
  })
  const more = report.errorsTotal - shown.length
  return more > 0
    ? [...shown, line('', `and ${count(more, 'more error')}; --report=FILE lists the first hundred`)]
    : shown
}
