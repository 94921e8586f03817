import { readFileSync } from 'node:fs'

/** The text of the policy that a first start writes, for `parsePolicy` or for a file. */
export function readDefaultPolicy(): string {
  return readFileSync(new URL('default-policy.yaml', import.meta.url), 'utf8')
}
