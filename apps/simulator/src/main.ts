import { runApp } from '@fleetroot/service'
import { fleetrootVersion } from './report/versions.ts'
import { settings } from './settings.ts'
import { simulateUntilSettled } from './simulate.ts'

runApp({
  name: 'simulator',
  version: fleetrootVersion,
  summary: 'a fleet of devices: each enrolls, connects over mutual TLS, publishes and is counted',
  settings,
  // On a terminal the live view redraws its lines in place: a line of the log would end up between them.
  logLevel: 'warn',
  main: simulateUntilSettled,
})
