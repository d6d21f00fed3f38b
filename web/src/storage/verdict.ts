// Pure: is there enough disk? Which sentence says so, and how bad it is.

import type { Storage } from '@/api/schema';
import type { Level } from '@/district/tree';
import { isWritable } from './volumes';

export interface Verdict {
  level: Level;
  /** Key under `storage.verdict.`: what is so. */
  key: 'stopped' | 'unknown' | 'enough' | 'enoughOwn' | 'short' | 'shortOwn';
  /** Key under `storage.advice.`: what to do; null = nothing. */
  advice: 'stopped' | 'unknown' | 'short' | null;
}

/** Days that fit, as one says them: whole ones, and one decimal below ten; never rounded up. */
export function daysText(days: number | null): string {
  if (days === null) return '—';
  return days < 10 ? (Math.floor(days * 10) / 10).toFixed(1) : String(Math.floor(days));
}

/** In columns: one decimal always, so that they line up; never rounded in favour. */
export const tenthsKept = (days: number) => (Math.floor(days * 10) / 10).toFixed(1);
export const tenthsMissing = (days: number) => (Math.ceil(days * 10 - 1e-6) / 10).toFixed(1);

export function verdictOf(storage: Storage): Verdict {
  const { volumes, missing_bytes: missing, forecast_days: days, required_days: required } = storage;
  if (!volumes.some(isWritable)) return { level: 'act', key: 'stopped', advice: 'stopped' };
  if (days === null) return { level: 'idle', key: 'unknown', advice: 'unknown' };
  if (missing > 0)
    return { level: 'act', key: days < required ? 'short' : 'shortOwn', advice: 'short' };
  return { level: 'ok', key: days < required ? 'enoughOwn' : 'enough', advice: null };
}

/** Days until the oldest recordings must go; null when nothing comes or it is so already. */
export function daysUntilFull(storage: Storage): number | null {
  const room = storage.capacity_bytes - storage.bytes;
  // once there are days that are thinned, each day one more of them gives room
  const growth = storage.bytes_per_day * (storage.thinning?.share ?? 1);
  if (growth <= 0 || room <= 0) return null;
  const days = room / growth;
  return days * 24 >= 1 ? days : null;
}
