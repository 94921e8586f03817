export { type Pkcs12Identity, readPkcs12 } from './read.ts'
export { type Pkcs12Contents, writePkcs12 } from './write.ts'
