import { randomUUID } from 'node:crypto'
import { type AppContext, createOperations, formatDuration, openDataDirectory } from '@fleetroot/service'
import { createCensus } from './accounting/census.ts'
import { describeThrown } from './accounting/failures.ts'
import { registerMetrics } from './fleet/metrics.ts'
import { runFleet } from './fleet/run.ts'
import { checkReportFile, writeReport } from './report/file.ts'
import { serverAddresses } from './servers/address.ts'
import { waitForServers } from './servers/wait.ts'
import type { settings } from './settings.ts'
import { liveView } from './view/live.ts'
import { waitingWords } from './view/narration.ts'
import { plainView } from './view/plain.ts'
import { summaryLines } from './view/summary.ts'
import { count } from './view/words.ts'

/**
 * `simulate`, of which a signal ends the run and not the process: the process ends when the run has settled
 * and said how it went.
 */
export async function simulateUntilSettled(context: AppContext<typeof settings>): Promise<number> {
  let settled = false
  const work = simulate(context).finally(() => {
    settled = true
  })
  context.onStop('fleet', async () => {
    // Whatever came of it, the shell has seen it already.
    if (settled) return
    try {
      context.stop('the fleet is done', await work)
    } catch (thrown) {
      process.stderr.write(`simulator: ${sentenceOfStop(thrown)}\n`)
      context.stop('stopped before the fleet was on its way', 1)
    }
  })
  return work
}

function sentenceOfStop(thrown: unknown): string {
  const { code, message } = describeThrown(thrown)
  return code === 'interrupted' ? message : `stopped before the fleet was on its way (${message})`
}

/**
 * The whole work of the process: waits for the servers, runs the fleet, writes the report. Resolves with the
 * exit status; rejects with the sentence that explains why there was no run.
 */
export async function simulate(context: AppContext<typeof settings>): Promise<number> {
  const { config, signal, onStop } = context
  const reportFile = config.report === undefined ? undefined : await checkReportFile(config.report)
  const { enrollment, broker } = serverAddresses(config)
  const data = await openDataDirectory(config.data)
  const census = createCensus(config.devices)

  const operations = createOperations({ port: config.metricsPort, checks: ['fleet'], signal })
  onStop('operations', () => operations.close())
  registerMetrics(operations.register, census)
  await operations.listen()

  const view =
    config.plain || !process.stdout.isTTY
      ? plainView({ write: (text) => process.stdout.write(text) })
      : liveView(process.stdout)
  try {
    const run = randomUUID().slice(0, 8)
    const length = config.duration === undefined ? 'until Ctrl-C' : `for ${formatDuration(config.duration)}`
    view.print([`simulator: ${count(config.devices, 'device')} ${length}, seed ${config.seed}, run ${run}`])

    operations.setNotReady('fleet', 'waiting for the servers')
    const servers = [enrollment, broker]
    await waitForServers({
      servers,
      waitMs: config.wait,
      signal,
      onChange: (awaited) => view.say('wait for', waitingWords(awaited)),
    })
    view.say('servers', `${enrollment.url} and ${broker.url}`)
    operations.setReady('fleet')

    const report = await runFleet({
      plan: {
        run,
        idPrefix: config.idPrefix,
        seed: config.seed,
        messagesPerSecond: config.rate,
        arrivalsPerSecond: config.arrivalRate,
        concurrency: config.concurrency,
        keyAlgorithm: config.keyAlgorithm,
        durationMs: config.duration,
        settleMs: config.settle,
        enrollmentUrl: enrollment.url,
        brokerUrl: broker.url,
      },
      census,
      data,
      view,
      signal,
    })
    if (reportFile !== undefined) await writeReport(reportFile, report)
    view.print(summaryLines(report, reportFile))
    if (!report.ok) process.stderr.write(`simulator: not proven: ${report.reasons.join('; ')}\n`)
    return report.ok ? 0 : 1
  } finally {
    view.close()
  }
}
