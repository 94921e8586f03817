import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'

const root = join(import.meta.dirname, '../../../..')
const alerts = join(root, 'deploy/prometheus/alerts.yaml')
const alertTests = join(import.meta.dirname, 'alerts.test.yaml')

judgedBy(['promtool'], 'what Prometheus is given', () => {
  test('rules and scrape configuration are right, to Prometheus itself', async () => {
    const rules = await run('promtool', ['check', 'rules', alerts])
    expect(rules.status, rules.text).toBe(0)
    const scrape = join(root, 'deploy/prometheus/scrape.yaml')
    const config = await run('promtool', ['check', 'config', scrape])
    expect(config.status, config.text).toBe(0)
  })

  test('each alert fires when it should, and none while all is well', async () => {
    const named = (path: string, pattern: RegExp): Set<string | undefined> =>
      new Set([...readFileSync(path, 'utf8').matchAll(pattern)].map(([, name]) => name))
    expect(named(alertTests, /- name: (Fleetroot\w+)/g)).toEqual(named(alerts, /- alert: (\w+)/g))
    const { status, text } = await run('promtool', ['test', 'rules', alertTests])
    expect(status, text).toBe(0)
  })

  test('the expressions of the dashboard are PromQL', async () => {
    using folder = temporaryFolder()
    const dashboard = readFileSync(join(root, 'deploy/grafana/fleetroot.json'), 'utf8')
    const expressions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(
      ([, text = '""']) => JSON.parse(text) as string,
    )
    expect(expressions.length).toBeGreaterThan(40)
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(broker|enrollment)/g, '.+'),
    }))
    const file = join(folder.path, 'rules.yaml')
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
    const { status, text } = await run('promtool', ['check', 'rules', file])
    expect(status, text).toBe(0)
  })
})
