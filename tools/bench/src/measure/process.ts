import { readFileSync } from 'node:fs'

// USER_HZ is 100 on every Linux platform that Node supports: one tick is 10 ms.
const tickMs = 10

/** CPU time that process `pid` has spent so far, user and system, all threads, in milliseconds. Linux only. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The command name is in parentheses and may hold spaces: fields count from behind it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * tickMs
}

/** Resident memory of process `pid`, in KiB. Linux only. */
export function residentKiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}
