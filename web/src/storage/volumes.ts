// Pure: what the storage page says of a volume.

import type { Storage } from '@/api/schema';
import type { Level } from '@/district/tree';

export type Volume = Storage['volumes'][number];

const LEVELS: Record<Volume['state'], Level> = {
  ok: 'ok',
  stalled: 'look',
  full: 'look',
  missing: 'act',
  foreign: 'act',
  swapped: 'act',
  taken: 'act',
  failed: 'act',
};

export const levelOfVolume = ({ state }: Pick<Volume, 'state'>): Level => LEVELS[state] ?? 'act';

/** Recordings go there, or will as soon as the disk answers. */
export const isWritable = ({ state }: Volume) => state === 'ok' || state === 'stalled';

/** What somebody should look at comes first; else as configured. */
export function worstFirst(volumes: readonly Volume[]): Volume[] {
  const rank = (volume: Volume) => ['act', 'look', 'ok'].indexOf(levelOfVolume(volume));
  return [...volumes].sort((a, b) => rank(a) - rank(b));
}

/** Shares of the bar, 0..1: recordings, whatever else is there, and where the reserve begins. */
export interface Fill {
  recorded: number;
  other: number;
  reserveFrom: number;
}

export function fillOf(volume: Volume): Fill | null {
  const { total_bytes: total, used_bytes: used, bytes, reserve_bytes: reserve } = volume;
  if (total <= 0) return null;
  const recorded = Math.min(bytes, used);
  return {
    recorded: recorded / total,
    other: (used - recorded) / total,
    reserveFrom: Math.max(0, 1 - reserve / total),
  };
}

/** The list with this volume's news; what an event does not carry stays. */
export function withNews(volumes: readonly Volume[], news: Partial<Volume>): Volume[] {
  return volumes.map((old) => (old.path === news.path ? { ...old, ...news } : old));
}
