import { expect, test } from 'vitest'
import { files, read } from './repository.ts'

// A lock file made behind a mirror names that mirror, and installs nowhere else.
test('the lock file names no registry', () => {
  const lock = JSON.parse(read('package-lock.json') ?? '{}') as {
    packages: Record<string, { resolved?: string; integrity?: string; link?: boolean }>
  }
  const entries = Object.entries(lock.packages)
  expect(entries.length).toBeGreaterThan(100)
  expect(entries.filter(([, entry]) => /:\/\//.test(entry.resolved ?? '')).map(([path]) => path)).toEqual([])
})

test('every package of the lock file is pinned by its hash', () => {
  const lock = JSON.parse(read('package-lock.json') ?? '{}') as {
    packages: Record<string, { integrity?: string; link?: boolean }>
  }
  const bare = Object.entries(lock.packages).filter(
    ([path, entry]) => path.includes('node_modules/') && !entry.link && !entry.integrity,
  )
  expect(bare.map(([path]) => path)).toEqual([])
})

// npm ci refuses a lock file that lacks an optional platform package (linux-arm64 of a tool, say).
test.each(['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64'])(
  'the lock file brings the native tools for %s',
  (platform) => {
    const lock = read('package-lock.json') ?? ''
    const [system, cpu] = platform.split('-')
    for (const tool of ['@nx/nx', '@rolldown/binding', '@oxlint/binding', '@oxfmt/binding']) {
      expect(lock).toMatch(new RegExp(`node_modules/${tool}-${system}-${cpu}`))
    }
  },
)

test('no file names a private host, a home directory or the checkout it was written in', () => {
  const own = 'tools/checks/src/lock-file.test.ts'
  const offenders = files()
    .filter((path) => path !== own && !/\.(png|der|p12)$/.test(path))
    .filter((path) =>
      /(\/home\/[a-z]|\/root\/|\/work\/(main|shared)|registry\.[a-z]+\.(corp|internal|local))/.test(
        read(path) ?? '',
      ),
    )
  expect(offenders).toEqual([])
})
