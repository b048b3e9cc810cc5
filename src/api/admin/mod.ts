export * from './admin.ts';
export type { ImageAdmin } from './images.ts';
export type { PolicyWarmth, ScheduleReport, VersionWarmth, WarmReport } from './warm.ts';
