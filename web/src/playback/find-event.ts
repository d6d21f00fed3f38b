// The event before or after a moment.

import { api } from '@/api/client';
import type { Event as MotionEvent, ListEventsAnswer } from '@/api/schema';

const LEAD_MS = 2000;
const SLACK_MS = 500;
const DAY_MS = 86_400_000;
const FORWARD_DAYS = [0.25, 2, 30];

/** Where playback begins for an event: a little before, so that one sees how it comes about. */
export const startOf = (event: MotionEvent) => Date.parse(event.from) - LEAD_MS;

async function between(camera: string, fromMs: number, toMs: number): Promise<MotionEvent[]> {
  const answer = await api.get<ListEventsAnswer>('/events', {
    node: `camera:${camera}`,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    limit: 2000,
  });
  return answer.items;
}

export async function previousEvent(camera: string, ms: number): Promise<MotionEvent | null> {
  const events = await between(camera, ms - 30 * DAY_MS, ms);
  return events.find((event) => startOf(event) < ms - SLACK_MS) ?? null;
}

export async function nextEvent(
  camera: string,
  ms: number,
  nowMs: number,
): Promise<MotionEvent | null> {
  for (const days of FORWARD_DAYS) {
    const events = await between(camera, ms, Math.min(nowMs, ms + days * DAY_MS));
    const later = events.filter((event) => startOf(event) > ms + SLACK_MS);
    const first = later[later.length - 1];
    if (first) return first;
    if (ms + days * DAY_MS > nowMs) break;
  }
  return null;
}
