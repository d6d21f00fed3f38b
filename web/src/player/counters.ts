// Small measuring tools of a tile: rates over a window, and the rule that calls a tile stalled.

/** Sum per second over the last few seconds, from coarse samples. */
export class Rate {
  private readonly samples: { atMs: number; value: number }[] = [];
  private total = 0;

  constructor(private readonly windowMs = 3000) {}

  add(value: number, nowMs: number): void {
    const last = this.samples[this.samples.length - 1];
    if (last && nowMs - last.atMs < 100) last.value += value;
    else this.samples.push({ atMs: nowMs, value });
    this.total += value;
    this.trim(nowMs);
  }

  perSecond(nowMs: number): number {
    this.trim(nowMs);
    const first = this.samples[0];
    if (!first) return 0;
    const span = Math.min(this.windowMs, Math.max(1000, nowMs - first.atMs));
    return (this.total * 1000) / span;
  }

  reset(): void {
    this.samples.length = 0;
    this.total = 0;
  }

  private trim(nowMs: number): void {
    let first = this.samples[0];
    while (first && nowMs - first.atMs > this.windowMs) {
      this.total -= first.value;
      this.samples.shift();
      first = this.samples[0];
    }
  }
}

const STALL_MS = 2000;
const STALL_MOST_MS = 5000;
const SLOW_INTERVAL_MS = 1000 / 1.5;

/** How long without a picture until a live tile is called stalled, given its usual picture interval. */
export function stallAfterMs(usualIntervalMs: number): number {
  if (usualIntervalMs <= SLOW_INTERVAL_MS) return STALL_MS;
  return Math.min(STALL_MOST_MS, Math.max(STALL_MS, 3 * usualIntervalMs));
}

/** Usual interval between drawn pictures, robust against one long pause. */
export class IntervalMeter {
  usualMs = 0;
  private lastMs = 0;

  picture(nowMs: number): void {
    if (this.lastMs > 0) {
      const interval = Math.min(nowMs - this.lastMs, STALL_MOST_MS);
      this.usualMs = this.usualMs === 0 ? interval : this.usualMs * 0.8 + interval * 0.2;
    }
    this.lastMs = nowMs;
  }

  reset(): void {
    this.usualMs = 0;
    this.lastMs = 0;
  }
}
