/** `liveUntilRenewed` as a process of its own: `renew-child.ts <orders as JSON>`. */
import { type DeviceOrders, liveUntilRenewed } from './renew-device.ts'

const { certificate } = await liveUntilRenewed(JSON.parse(process.argv[2] ?? '') as DeviceOrders)
process.stdout.write(certificate.serial)
