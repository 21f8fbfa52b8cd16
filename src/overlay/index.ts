export { OverlayRepair, type OverlayRepairOptions } from './repair.ts'
