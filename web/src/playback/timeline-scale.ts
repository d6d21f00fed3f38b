// Pure geometry of the timeline: zooming, panning, ticks, and what lies at a moment.

import type { Gap, Timeline } from '@/api/schema';
import { offsetMs } from '@/ui/time';

export interface View {
  fromMs: number;
  toMs: number;
}

export const VIEW_LEAST_MS = 60_000;
export const VIEW_MOST_MS = 32 * 86_400_000;

const spanOf = (view: View) => view.toMs - view.fromMs;

export function timeAt(view: View, x: number, width: number): number {
  return view.fromMs + (spanOf(view) * x) / Math.max(1, width);
}

export function xAt(view: View, ms: number, width: number): number {
  return ((ms - view.fromMs) * width) / spanOf(view);
}

/** Zooms so that the moment under the pointer stays under it. factor < 1 = closer. */
export function zoomAbout(view: View, share: number, factor: number): View {
  const span = Math.min(VIEW_MOST_MS, Math.max(VIEW_LEAST_MS, spanOf(view) * factor));
  const pivot = view.fromMs + spanOf(view) * share;
  const fromMs = pivot - span * share;
  return { fromMs, toMs: fromMs + span };
}

export function pan(view: View, byMs: number): View {
  return { fromMs: view.fromMs + byMs, toMs: view.toMs + byMs };
}

export function around(ms: number, spanMs: number): View {
  return { fromMs: ms - spanMs / 2, toMs: ms + spanMs / 2 };
}

/** The view moved so that little of it lies in the future. */
export function notBeyond(view: View, nowMs: number): View {
  const most = nowMs + spanOf(view) * 0.05;
  return view.toMs > most ? pan(view, most - view.toMs) : view;
}

/** The view moved so that ms is inside; the same object when it is already. */
export function follow(view: View, ms: number): View {
  if (ms >= view.fromMs && ms <= view.toMs) return view;
  return pan(view, ms - view.fromMs - spanOf(view) * 0.1);
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEPS = [
  5_000,
  10_000,
  30_000,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  20 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  24 * HOUR,
  48 * HOUR,
  96 * HOUR,
];

export interface Ticks {
  stepMs: number;
  times: number[];
}

/** Round local times, at least leastPx apart. */
export function ticks(view: View, width: number, zone: string, leastPx = 84): Ticks {
  const least = (spanOf(view) * leastPx) / Math.max(1, width);
  const stepMs = STEPS.find((step) => step >= least) ?? 96 * HOUR;
  const times: number[] = [];
  const localFrom = view.fromMs + offsetMs(view.fromMs, zone);
  for (let local = Math.ceil(localFrom / stepMs) * stepMs; times.length < 500; local += stepMs) {
    const guess = local - offsetMs(local, zone);
    const ms = local - offsetMs(guess, zone);
    if (ms > view.toMs) break;
    times.push(ms);
  }
  return { stepMs, times };
}

export type Fault = 'camera' | 'own' | 'none';

const OWN = new Set(['server_down', 'server_stopped', 'disk', 'internal', 'space', 'missing']);
const NOBODY = new Set([
  'connecting',
  'disabled',
  'idle',
  'expired',
  'unknown',
  'ok',
  'not_recorded',
  'deleted',
  'thinned',
]);

/** Whose fault a gap is: it decides the colour of the hatching. */
export function faultOf(cause: string): Fault {
  if (OWN.has(cause)) return 'own';
  return NOBODY.has(cause) ? 'none' : 'camera';
}

export interface Place {
  isRecorded: boolean;
  gap: Gap | null;
  motion: number;
}

export function placeAt(timeline: Timeline, ms: number): Place {
  const within = ({ from, to }: { from: string; to: string }) =>
    ms >= Date.parse(from) && ms < Date.parse(to);
  const bucket = Math.floor((ms - Date.parse(timeline.from)) / 1000 / timeline.bucket_s);
  return {
    isRecorded: timeline.spans.some(within),
    gap: timeline.gaps.find(within) ?? null,
    motion: timeline.buckets[bucket]?.motion ?? 0,
  };
}
