import { z } from 'zod'
import { readProxies } from './proxied.ts'

const portError = 'must be a whole number from 0 to 65535 (0 picks a free port)'

/** Schema of a list of addresses and networks. */
export const networks = z.array(z.string()).check((context) => {
  const proxies = readProxies(context.value)
  if ('fault' in proxies)
    context.issues.push({ code: 'custom', message: proxies.fault, input: context.value })
})

const listener = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -'),
  kind: z.enum(['mqtts', 'wss']),
  host: z.string().min(1).optional(),
  port: z.int({ error: portError }).min(0, { error: portError }).max(65_535, { error: portError }),
  tlsMode: z.enum(['compatible', 'strict']).optional(),
  policy: z.string().min(1).optional(),
  proxyFrom: networks.optional(),
})

/** A listener as a configuration file describes it; what is left out is as for the whole broker. */
export type ListenerSetting = z.output<typeof listener>

/** Schema of the setting `listeners`. */
export const listenerList = z
  .array(listener)
  .min(1, 'needs at least one listener')
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
    error: 'two listeners have the same name',
  })
