/** A writer as a process of its own: `replace-child.ts <new text's file> <record>`. */
import { readFileSync } from 'node:fs'

import { replaceRecord } from '../identity/record.ts'

const [source = '', record = ''] = process.argv.slice(2)
await replaceRecord(record, readFileSync(source, 'utf8'))
