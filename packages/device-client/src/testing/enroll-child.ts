/** A device as a process of its own: `enroll-child.ts <url> <trust file> <store> <id> <token>`. Exits 0 when enrolled. */
import { readFileSync } from 'node:fs'

import { enrollDevice } from '../enrollment/enroll-device.ts'
import { createEstClient } from '../est/client.ts'
import { openIdentityStore } from '../identity/store.ts'

const [url = '', trustFile = '', directory = '', id = '', token = ''] = process.argv.slice(2)
const est = createEstClient({ url, trust: [readFileSync(trustFile, 'utf8')] })
const { identity } = await enrollDevice({
  id,
  est,
  store: openIdentityStore(directory),
  credential: { token },
})
process.stdout.write(identity.certificate.fingerprint256)
est.close()
