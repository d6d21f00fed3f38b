// Times as the district sees them. Everything is formatted here, so that columns line up and zones agree.

const formatters = new Map<string, Intl.DateTimeFormat>();
const offsets = new Map<string, number>();

export interface ZonedTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
}

function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formatters.set(zone, formatter);
  }
  return formatter;
}

/** Local minus UTC at this moment, ms. Cached per quarter hour: zones change at such borders only. */
export function offsetMs(ms: number, zone: string): number {
  const quarter = Math.floor(ms / 900000);
  const key = `${zone} ${quarter}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const parts: Record<string, number> = {};
  for (const part of formatterOf(zone).formatToParts(quarter * 900000))
    parts[part.type] = Number(part.value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  const local = Date.UTC(year, month - 1, day, hour, minute, second);
  const offset = local - quarter * 900000;
  if (offsets.size > 5000) offsets.clear();
  offsets.set(key, offset);
  return offset;
}

export function zoned(ms: number, zone: string): ZonedTime {
  const local = new Date(ms + offsetMs(ms, zone));
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    ms: local.getUTCMilliseconds(),
  };
}

/** The moment a local date and time stands for. */
export function fromZoned(year: number, month: number, day: number, zone: string, ms = 0): number {
  const local = Date.UTC(year, month - 1, day) + ms;
  const guess = local - offsetMs(local, zone);
  return local - offsetMs(guess, zone);
}

const two = (n: number) => String(n).padStart(2, '0');

export function dayOf(ms: number, zone: string): string {
  const t = zoned(ms, zone);
  return `${t.year}-${two(t.month)}-${two(t.day)}`;
}

export function clockOf(ms: number, zone: string): string {
  const t = zoned(ms, zone);
  return `${two(t.hour)}:${two(t.minute)}:${two(t.second)}`;
}

export function minuteOf(ms: number, zone: string): string {
  return clockOf(ms, zone).slice(0, 5);
}

export function exactOf(ms: number, zone: string): string {
  return `${clockOf(ms, zone)}.${String(zoned(ms, zone).ms).padStart(3, '0')}`;
}

export function dateTimeOf(ms: number, zone: string): string {
  return `${dayOf(ms, zone)} ${clockOf(ms, zone)}`;
}

/** Start of the local day that holds ms, or of the one `days` later. */
export function dayStart(ms: number, zone: string, days = 0): number {
  const t = zoned(ms, zone);
  return fromZoned(t.year, t.month, t.day + days, zone);
}

/** "2026-11-23" → the moment its local day begins; NaN when it is no day. */
export function parseDay(day: string, zone: string): number {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!match) return Number.NaN;
  return fromZoned(Number(match[1]), Number(match[2]), Number(match[3]), zone);
}

export type DurationUnit = 'd' | 'h' | 'min' | 's';

/** The two largest units of a duration, e.g. 3725 s → [[1,'h'],[2,'min']]. */
export function durationParts(seconds: number): [number, DurationUnit][] {
  const total = Math.max(0, Math.round(seconds));
  const all: [number, DurationUnit][] = [
    [Math.floor(total / 86400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'min'],
    [total % 60, 's'],
  ];
  const first = all.findIndex(([n]) => n > 0);
  if (first < 0) return [[0, 's']];
  return all.slice(first, first + 2).filter(([n], i) => i === 0 || n > 0);
}
