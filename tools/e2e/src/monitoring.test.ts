import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, freePort, startApp, temporaryFolder, writeCaKeys } from '@fleetroot/harness'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// What the dashboard, the alerts and the tables of docs/operations.md say about metrics is compared with what both servers
// show. A name that nobody serves draws an empty panel and never fires.

const root = join(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

let folder: ReturnType<typeof temporaryFolder>
const apps: App[] = []
/** Every sample's name, of both servers. */
const shown = new Set<string>()

beforeAll(async () => {
  folder = temporaryFolder()
  writeCaKeys(folder.path)
  const enrollmentPort = String(await freePort())
  for (const name of ['enrollment-server', 'broker'] as const) {
    const metricsPort = String(await freePort())
    const app = startApp(name, [], {
      FLEETROOT_DATA: folder.path,
      FLEETROOT_ENROLLMENT_PORT: enrollmentPort,
      FLEETROOT_ENROLLMENT_METRICS_PORT: metricsPort,
      FLEETROOT_BROKER_METRICS_PORT: metricsPort,
    })
    apps.push(app)
    await app.ready()
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
    for (const [, metric = '', type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
      const suffixes = type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
      for (const suffix of suffixes) shown.add(metric + suffix)
    }
  }
})
afterAll(async () => {
  await Promise.all(apps.map((app) => app.stop('SIGKILL')))
  folder[Symbol.dispose]()
})

const documented = read('docs/operations.md')
/** Of each metric of the tables: the row. */
const rows = new Map(
  [...documented.matchAll(/^\| `(fleetroot_(?:broker|enrollment)_\w+)` +\|.*\|$/gm)].map(([row, name]) => [
    name!,
    row,
  ]),
)

const dashboard = [
  ...read('deploy/grafana/fleetroot.json').matchAll(/"(?:expr|definition)": ("(?:[^"\\]|\\.)*")/g),
].map(([, text = '""']) => JSON.parse(text) as string)
const alerts = [...read('deploy/prometheus/alerts.yaml').matchAll(/expr: (?:>-\n +)?(.*)$/gm)].map(
  ([, text = '']) => text,
)

/** The names of metrics in an expression: what is no function, no label and no number. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]|"[^"]*"/g, ' ')
    .replaceAll(/\bby \([^)]*\)/g, ' ')
    .replaceAll(/\blabel_values\((\w+), \w+\)/g, '$1')
  return [...bare.matchAll(/[a-z_]\w*(?!\w)(?! *\()/gi)].map(([name]) => name)
}

/** The labels that an expression speaks of. */
function labelsIn(expression: string): string[] {
  const matched = [...expression.matchAll(/(\w+)=~?"/g)].map(([, name = '']) => name)
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = '']) =>
    names.split(/, */),
  )
  return [...matched, ...grouped]
}

describe.each([
  ['dashboard', dashboard, 40],
  ['alerts', alerts, 15],
])('the %s', (_what, expressions, least) => {
  test('speak of metrics that the servers show, and of no others', () => {
    expect(expressions.length).toBeGreaterThan(least)
    // `up` is Prometheus' own.
    const unknown = expressions.flatMap(metricsIn).filter((name) => name !== 'up' && !shown.has(name))
    expect(unknown).toEqual([])
    expect(expressions.filter((expression) => metricsIn(expression).length === 0)).toEqual([])
  })

  test('speak of labels that these metrics have', () => {
    // Those of a scrape, and that of a histogram's buckets.
    const common = ['job', 'instance', 'le']
    const unknown = expressions.flatMap((expression) => {
      const known = metricsIn(expression).map(
        (name) => rows.get(name.replace(/_(bucket|count|sum)$/, '')) ?? '',
      )
      return labelsIn(expression).filter(
        (label) => !common.includes(label) && !known.some((row) => row.includes(`\`${label}\``)),
      )
    })
    expect(unknown).toEqual([])
  })
})

test('docs/operations.md has every metric of the servers, and no other', () => {
  const own = [...shown].filter((name) => /^fleetroot_(broker|enrollment)_/.test(name))
  const families = own.map((name) => name.replace(/_seconds_(bucket|sum|count)$/, '_seconds'))
  // The process that keeps several workers shows some of its own; there are none without Redis.
  const ofOne = [...rows.keys()].filter((name) => !/^fleetroot_broker_workers?(_|$)/.test(name))
  expect(new Set(ofOne)).toEqual(new Set(families))
  expect(documented).toContain('`fleetroot_ready`')
})

test('docs/operations.md says of every alert what to do, and of no other', () => {
  const named = [...read('deploy/prometheus/alerts.yaml').matchAll(/alert: (\w+)/g)].map(([, name]) => name)
  const explained = [...documented.matchAll(/^\| `(Fleetroot\w+)` +\|/gm)].map(([, name]) => name)
  expect(new Set(explained)).toEqual(new Set(named))
  expect(explained).toHaveLength(named.length)
})
