export { startApp, type App, type AppName } from './app.ts'
export { writeCaKeys } from './ca-keys.ts'
export { type Crowd, startCrowd } from './crowd/crowd.ts'
export type { CrowdOrders, Member, Refusal, Return } from './crowd/orders.ts'
export { startDevice } from './device/device.ts'
export type { DeviceOrders } from './device/orders.ts'
export { shellBlocks } from './documents.ts'
export { enrollAll, type Enrolled } from './enrolled.ts'
export { temporaryFolder } from './folder.ts'
export { type Link, type LinkState, openLink } from './link.ts'
export { operator, type Operator } from './operator.ts'
export { type Dial, ExactPublisher, ExactSubscriber } from './mqtt/exact-clients.ts'
export { freePort, isFree } from './port.ts'
export { openServers, type Servers } from './servers.ts'
export { type RedisServer, startRedis } from './redis-server.ts'
export {
  type Device,
  type DeviceStart,
  expectPublishing,
  expectShutOut,
  startSystem,
  type System,
  type SystemOptions,
  type Transport,
  transports,
} from './system.ts'
export { type Exit, type RunningProcess, startProcess, startProgram } from './process.ts'
