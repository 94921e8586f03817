export { startApp, type App, type AppName, type Exit } from './app.ts'
export { temporaryFolder } from './folder.ts'
export { operator, type Operator } from './operator.ts'
export { freePort } from './port.ts'
