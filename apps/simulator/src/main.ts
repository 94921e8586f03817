import { runApp } from '@fleetroot/service'
import { fleetrootVersion } from './report/versions.ts'
import { settings } from './settings.ts'
import { simulate } from './simulate.ts'

runApp({
  name: 'simulator',
  version: fleetrootVersion,
  summary: 'a fleet of devices: each enrolls, connects over mutual TLS, publishes and is counted',
  settings,
  main: (context) => {
    const work = simulate(context)
    // A signal ends the run, not the process: the process ends when the run has settled and said how it went.
    context.onStop('fleet', async () => context.stop('the fleet is done', await work))
    return work
  },
})
