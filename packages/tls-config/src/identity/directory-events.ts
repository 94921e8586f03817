import { watch } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Calls `onEvent` when anything happens in the directories that hold the files. The directory is watched and
 * not the file, because a file that is renamed into place is another file than the one that was watched.
 * Best effort: a directory that cannot be watched (missing, out of inotify watches) is left to polling.
 */
export function watchDirectories(files: readonly string[], onEvent: () => void): { close(): void } {
  const directories = new Set(files.map((file) => dirname(file)))
  const stops = [...directories].map((directory) => watchDirectory(directory, onEvent))
  return {
    close() {
      for (const stop of stops) stop()
    },
  }
}

function watchDirectory(directory: string, onEvent: () => void): () => void {
  try {
    const watcher = watch(directory, { persistent: false }, onEvent)
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}
