export type { FleetReport } from './report/report.ts'
