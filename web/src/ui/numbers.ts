// Figures with their units, always with the same precision.

/** No-break space between a figure and its unit. */
const GAP = '\u00a0';

export function bitrateOf(bps: number): string {
  if (bps >= 999_500) return `${(bps / 1e6).toFixed(1)}${GAP}Mbit/s`;
  return `${Math.round(bps / 1000)}${GAP}kbit/s`;
}

export function megabitsOf(bps: number): string {
  return `${(bps / 1e6).toFixed(1)}${GAP}Mbit/s`;
}

export function bytesOf(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1)}${GAP}${units[unit]}`;
}

/** 0..1 → "99.21 %"; never rounds up to 100 what is not 100. Null → a dash. */
export function percentOf(rate: number | null | undefined): string {
  if (rate === null || rate === undefined) return '—';
  const hundredths = rate >= 1 ? 10000 : Math.min(9999, Math.round(rate * 10000));
  return `${(hundredths / 100).toFixed(2)}${GAP}%`;
}

/** 0..1 → "74 %", for what is no rate to be judged by; what is there is never 0 %. */
export function shareOf(share: number | null): string {
  if (share === null) return '—';
  return share > 0 && share < 0.005 ? `<1${GAP}%` : `${Math.round(share * 100)}${GAP}%`;
}

export function secondsOf(s: number): string {
  return `${s.toFixed(2)}${GAP}s`;
}

/** How long a disk took: milliseconds below a second. */
export function latencyOf(s: number): string {
  if (s >= 0.9995) return `${s.toFixed(1)}${GAP}s`;
  const ms = s * 1000;
  if (ms < 0.095) return `<0.1${GAP}ms`;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)}${GAP}ms`;
}

export function countOf(n: number): string {
  return n.toLocaleString('en-US');
}

export function fpsOf(fps: number): string {
  return `${fps.toFixed(fps >= 9.95 ? 0 : 1)}${GAP}fps`;
}
