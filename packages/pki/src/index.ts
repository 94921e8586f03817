export { type DeviceId, isDeviceId, maxDeviceIdLength, parseDeviceId } from './device-id.ts'
export { PkiError, type PkiErrorCode } from './error.ts'
export { fromPem, type PemBlock, type PemLabel, toPem } from './pem.ts'
export { newSerial, parseSerial, type SerialNumber } from './serial.ts'
