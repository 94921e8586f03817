import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'

it.each(['./worker.ts', '../registry/worker.ts'])(
  'the thread %s loads no library, of which each thread would have a copy',
  (script) => {
    const program = `
      import { registerHooks } from 'node:module'
      const loaded = []
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
      // It says that it does not run by itself, after everything is loaded.
      await import(process.argv[1]).catch(() => {})
      console.log(JSON.stringify(loaded))`
    const url = new URL(script, import.meta.url).href
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, url], {
      encoding: 'utf8',
    })
    const loaded = JSON.parse(output) as string[]
    expect(loaded).toContain(new URL('../registry/local-registry.ts', import.meta.url).href)
    expect(loaded.filter((one) => one.includes('/node_modules/'))).toEqual([])
  },
)
