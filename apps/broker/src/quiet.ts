import { createRequire, registerHooks } from 'node:module'

// Whoever sets DEBUG has these tell what they do: ioredis what it sends, the password of Redis among it, mqtt-packet some thirty times
// for each message what is in it. No log may have that; and that nobody hears it costs a fifth of what the broker does for a message at QoS 0.
// So they are loaded, before anybody else does it, with a `debug` that says nothing.
const talkative = ['mqtt-packet', 'ioredis']

const silence = 'fleetroot:silence'
const source = 'module.exports = () => () => undefined; module.exports.default = module.exports'

const require = createRequire(import.meta.url)
for (const name of talkative) {
  // Those that are to be imported later are in the cache as well, not loaded.
  if (require.cache[require.resolve(name)]?.loaded === true) throw new Error(`${name} is loaded already`)
}
const hooks = registerHooks({
  resolve: (specifier, context, nextResolve) =>
    specifier === 'debug' ? { url: silence, shortCircuit: true } : nextResolve(specifier, context),
  load: (url, context, nextLoad) =>
    url === silence ? { format: 'commonjs', source, shortCircuit: true } : nextLoad(url, context),
})
try {
  for (const name of talkative) require(name)
} finally {
  hooks.deregister()
}
