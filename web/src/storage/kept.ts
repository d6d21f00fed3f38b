// Pure: what is kept of every camera against what is required.

import type { Kept } from '@/api/schema';
import type { Level } from '@/district/tree';

/** short: days that are required were deleted; growing: it has not recorded for so long yet. */
export type KeptState = 'short' | 'growing' | 'kept' | 'none';

export function stateOfKept(kept: Kept): KeptState {
  if (kept.is_short) return 'short';
  if (!kept.oldest) return 'none';
  return kept.days_kept >= kept.days_required ? 'kept' : 'growing';
}

export const levelOfKept: Record<KeptState, Level> = {
  short: 'act',
  growing: 'idle',
  kept: 'ok',
  none: 'off',
};

export const daysMissing = (kept: Kept) => Math.max(0, kept.days_required - kept.days_kept);

const names = new Intl.Collator('zh-CN', { numeric: true });
const ORDER: KeptState[] = ['short', 'none', 'growing', 'kept'];

/** The shortest first: by days missing among those that lost some, then the others. */
export function listKept(
  all: readonly Kept[],
  filter: { institution: string; onlyShort: boolean },
): Kept[] {
  const list = all.filter(
    (kept) =>
      (!filter.institution || kept.institution_id === filter.institution) &&
      (!filter.onlyShort || kept.is_short),
  );
  return list.sort(
    (a, b) =>
      ORDER.indexOf(stateOfKept(a)) - ORDER.indexOf(stateOfKept(b)) ||
      daysMissing(b) - daysMissing(a) ||
      names.compare(a.institution_name, b.institution_name) ||
      names.compare(a.name, b.name),
  );
}
