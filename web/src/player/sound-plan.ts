// When a piece of sound is to be heard: beside the picture of its wall clock. All times in seconds of the audio clock.

/** Sound is placed so far behind the picture, so that the next piece is there in time. */
const LEAD_S = 0.04;
/** A piece that belongs within so much of where the last one ends follows it without a seam. */
const SLACK_S = 0.08;
/** A picture older than this tells nothing: it stands still, and sound waits with it. */
const STALE_S = 2;

export class SoundPlan {
  private picture: { wallUs: number; atS: number } | null = null;
  private endS = 0;

  /** A picture is on the screen. */
  shown(wallUs: number, atS: number): void {
    this.picture = { wallUs, atS };
  }

  reset(): void {
    this.picture = null;
    this.endS = 0;
  }

  get isReady(): boolean {
    return this.picture !== null;
  }

  /** When the piece begins; null: it came too late, or there is no picture it belongs to. */
  place(wallUs: number, lengthS: number, nowS: number): number | null {
    const { picture } = this;
    if (!picture || nowS - picture.atS > STALE_S) return null;
    const wanted = picture.atS + (wallUs - picture.wallUs) / 1e6 + LEAD_S;
    let at = wanted;
    if (this.endS > nowS && Math.abs(this.endS - wanted) < SLACK_S) at = this.endS;
    else if (wanted < this.endS) return null; // too much of it: what was placed is heard first
    if (at < nowS - SLACK_S) return null;
    at = Math.max(at, nowS);
    this.endS = at + lengthS;
    return at;
  }
}
