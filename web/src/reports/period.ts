// Pure logic of report periods: a day "2026-11-23", an ISO week "2026-W47", a month "2026-11".

export type PeriodKind = 'day' | 'week' | 'month';

const DAY_MS = 86_400_000;
const two = (n: number) => String(n).padStart(2, '0');
const dayName = (utcMs: number) => new Date(utcMs).toISOString().slice(0, 10);

export function kindOf(period: string): PeriodKind | null {
  if (/^\d{4}-\d{2}-\d{2}$/.test(period)) return Number.isNaN(Date.parse(period)) ? null : 'day';
  if (/^\d{4}-W\d{2}$/.test(period)) return 'week';
  return /^\d{4}-(0[1-9]|1[0-2])$/.test(period) ? 'month' : null;
}

/** Monday of an ISO week, as if the calendar were UTC. */
function weekStart(year: number, week: number): number {
  const january4 = Date.UTC(year, 0, 4);
  const monday = january4 - ((new Date(january4).getUTCDay() + 6) % 7) * DAY_MS;
  return monday + (week - 1) * 7 * DAY_MS;
}

function weekOf(utcMs: number): string {
  const thursday = utcMs + (3 - ((new Date(utcMs).getUTCDay() + 6) % 7)) * DAY_MS;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.round((thursday - 3 * DAY_MS - weekStart(year, 1)) / (7 * DAY_MS)) + 1;
  return `${year}-W${two(week)}`;
}

/** First day of a period as a day name. */
export function firstDay(period: string): string {
  const kind = kindOf(period);
  if (kind === 'day') return period;
  if (kind === 'month') return `${period}-01`;
  return dayName(weekStart(Number(period.slice(0, 4)), Number(period.slice(6))));
}

/** The period of a kind that holds a day. */
export function periodOf(kind: PeriodKind, day: string): string {
  if (kind === 'day') return day;
  return kind === 'month' ? day.slice(0, 7) : weekOf(Date.parse(day));
}

export function shiftPeriod(period: string, n: number): string {
  const kind = kindOf(period) ?? 'day';
  const [year = 1970, month = 1] = period.split('-').map(Number);
  if (kind === 'month') return dayName(Date.UTC(year, month - 1 + n, 1)).slice(0, 7);
  const step = kind === 'week' ? 7 : 1;
  return periodOf(kind, dayName(Date.parse(firstDay(period)) + n * step * DAY_MS));
}

export type CellLevel = 'ok' | 'look' | 'act' | 'off';

export const GOOD = 0.99;
export const FAIR = 0.95;

export function levelOfRate(rate: number | null, coverage: number | null): CellLevel {
  if (rate === null || !coverage) return 'off';
  if (rate >= GOOD) return 'ok';
  return rate >= FAIR ? 'look' : 'act';
}
