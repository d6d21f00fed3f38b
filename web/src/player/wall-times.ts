// Presentation time to wall clock for a video element, which only tells its media time.

const MOST = 3000;

export class WallTimes {
  private readonly entries: { seconds: number; wallUs: number }[] = [];

  add(seconds: number, wallUs: number): void {
    const { entries } = this;
    let at = entries.length;
    while (at > 0 && (entries[at - 1]?.seconds ?? 0) > seconds) at -= 1; // reordered pictures
    entries.splice(at, 0, { seconds, wallUs });
    if (entries.length > MOST) entries.splice(0, MOST / 10);
  }

  /** Wall clock of the picture shown at this media time; 0 when unknown. */
  wallAt(seconds: number): number {
    return this.entries[this.indexAt(seconds)]?.wallUs ?? 0;
  }

  /** Media time of the first picture at or after a wall clock time; null when there is none yet. */
  secondsAt(wallUs: number): number | null {
    for (const entry of this.entries) if (entry.wallUs >= wallUs) return entry.seconds;
    return null;
  }

  /** Media time of the newest picture not after a wall clock time; null when all are later. */
  secondsBefore(wallUs: number): number | null {
    let found: number | null = null;
    for (const entry of this.entries) {
      if (entry.wallUs > wallUs) break;
      found = entry.seconds;
    }
    return found;
  }

  /** Media time of the picture after the one shown; null when there is none yet. */
  next(seconds: number): number | null {
    return this.entries[this.indexAt(seconds) + 1]?.seconds ?? null;
  }

  clear(): void {
    this.entries.length = 0;
  }

  private indexAt(seconds: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle]?.seconds ?? 0) <= seconds + 0.002) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}
