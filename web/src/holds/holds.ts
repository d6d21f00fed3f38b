// Pure: holds, the recordings that no deletion touches.

import type { Hold } from '@/api/schema';

export const isInForce = (hold: Hold) => hold.released_at === null;

/** Newest-placed hold in force that covers a moment. */
export function holdAt(holds: readonly Hold[], ms: number): Hold | null {
  return (
    holds.find(
      (hold) => isInForce(hold) && ms >= Date.parse(hold.from) && ms < Date.parse(hold.to),
    ) ?? null
  );
}

export interface HeldSpan {
  fromMs: number;
  toMs: number;
}

/** What is held, joined where holds touch or overlap, in order. */
export function heldSpans(holds: readonly Hold[]): HeldSpan[] {
  const spans = holds
    .filter(isInForce)
    .map((hold) => ({ fromMs: Date.parse(hold.from), toMs: Date.parse(hold.to) }))
    .sort((a, b) => a.fromMs - b.fromMs);
  const out: HeldSpan[] = [];
  for (const span of spans) {
    const last = out[out.length - 1];
    if (last && span.fromMs <= last.toMs) last.toMs = Math.max(last.toMs, span.toMs);
    else out.push({ ...span });
  }
  return out;
}

const REASON_MOST_BYTES = 1000;

/** Key under `hold.` of what is wrong with a reason; null = it will do. */
export function wrongReason(reason: string): 'reasonNeeded' | 'reasonLong' | null {
  if (!reason.trim()) return 'reasonNeeded';
  const bytes = new TextEncoder().encode(reason.trim()).length;
  return bytes > REASON_MOST_BYTES ? 'reasonLong' : null;
}
