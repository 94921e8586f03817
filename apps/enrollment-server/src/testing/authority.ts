import { type Certificate, parseCertificate } from '@fleetroot/pki'
import type { Answer, Identity } from './request.ts'
import type { Testbed } from './testbed.ts'

/** `GET /v1/ca` as clients read it. */
export interface Bundle {
  readonly root: string
  readonly roots: string[]
  readonly cross: string[]
  readonly issuers: { readonly devices: string[]; readonly services: string[] }
  readonly authorities: { readonly id: string; readonly kind: string; readonly state: string }[]
}

/** Fetches the bundle. */
export async function bundleOf(testbed: Testbed): Promise<Bundle> {
  return (await testbed.request('/v1/ca')).json as unknown as Bundle
}

/** The states of all trusted CAs by their ids. */
export async function statesOf(testbed: Testbed): Promise<Record<string, string>> {
  return Object.fromEntries((await bundleOf(testbed)).authorities.map(({ id, state }) => [id, state]))
}

/** Sends a change of the CAs as an operator, whose certificate may have been renewed since the start. */
export function changeCa(
  testbed: Testbed,
  path: string,
  json: object = {},
  { method = 'POST', identity = testbed.operator }: { method?: string; identity?: Identity } = {},
): Promise<Answer> {
  return testbed.request(`/v1/ca/${path}`, { method, json, identity })
}

/** Certificates of a list of PEM texts. */
export const parsed = (pems: readonly string[]): Certificate[] => pems.map((pem) => parseCertificate(pem))
