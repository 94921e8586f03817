import type { Answer } from './request.ts'
import type { Testbed } from './testbed.ts'

/** POSTs as the operator. */
export function command(testbed: Testbed, path: string, json?: object): Promise<Answer> {
  return testbed.request(path, {
    method: 'POST',
    identity: testbed.operator,
    ...(json && { json }),
  })
}

/** What the registry says of a certificate. */
export async function certificateStatus(testbed: Testbed, serial: string): Promise<Record<string, unknown>> {
  return (await testbed.request(`/v1/certificates/${serial}`, { identity: testbed.operator })).json
}
