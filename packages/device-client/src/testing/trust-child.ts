/** A device that refreshes its trust as a process of its own: `trust-child.ts <url> <pin file> <anchor file>`. */
import { readFileSync } from 'node:fs'

import { createEstClient } from '../est/client.ts'
import { openTrustAnchors } from '../trust/anchor-file.ts'

const [url = '', pinFile = '', file = ''] = process.argv.slice(2)
const trust = await openTrustAnchors({ file, pin: [readFileSync(pinFile, 'utf8')] })
const est = createEstClient({ url, trust })
await est.refreshTrust()
process.stdout.write(trust.certificates.map(({ fingerprint256 }) => fingerprint256).join())
est.close()
