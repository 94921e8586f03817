/** Codes of device-client with which a server says no to this device, rather than being out of order. */
const refusals = new Set([
  'request-refused',
  'credential-refused',
  'forbidden',
  'conflict',
  'connect-refused',
  'subscribe-refused',
])

/** True if an error with this code means that a server turned the device away. */
export function isRefusal(code: string): boolean {
  return refusals.has(code)
}
