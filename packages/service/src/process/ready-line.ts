/** The line that tells people and tests that a server can be used: `broker: listening on mqtts://127.0.0.1:8883`. */
export function readyLine(name: string, url: string): string {
  return `${name}: listening on ${url}`
}
