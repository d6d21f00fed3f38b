// When a piece of sound is to be heard: beside the picture of its wall clock. All times in seconds of the audio clock.

/** Sound is placed so far behind the picture, so that the next piece is there in time. */
const LEAD_S = 0.04;
/** A piece that belongs within so much of where the last one ends follows it without a seam. */
const SLACK_S = 0.1;
/** A picture older than this tells nothing: it stands still, and sound waits with it. */
const STALE_S = 2;
/** Pictures are drawn a little early or late: they move the sound by this share of the difference. */
const SHARE = 0.1;
/** More is no jitter: another moment is shown. */
const JUMP_S = 0.5;

export class SoundPlan {
  /** What to add to a wall clock to get the moment at which its picture is seen; null = none was seen. */
  private offsetS: number | null = null;
  private shownS = 0;
  private endS = 0;

  /** A picture is on the screen. */
  shown(wallUs: number, atS: number): void {
    const offsetS = atS - wallUs / 1e6;
    const step = this.offsetS === null ? 0 : offsetS - this.offsetS;
    if (this.offsetS === null || Math.abs(step) > JUMP_S) this.offsetS = offsetS;
    else this.offsetS += step * SHARE;
    this.shownS = atS;
  }

  reset(): void {
    this.offsetS = null;
    this.endS = 0;
  }

  get isReady(): boolean {
    return this.offsetS !== null;
  }

  /** When the piece begins; null: it came too late, or there is no picture it belongs to. */
  place(wallUs: number, lengthS: number, nowS: number): number | null {
    if (this.offsetS === null || nowS - this.shownS > STALE_S) return null;
    const wanted = wallUs / 1e6 + this.offsetS + LEAD_S;
    let at = Math.max(wanted, nowS);
    if (this.endS > nowS) {
      if (Math.abs(this.endS - wanted) < SLACK_S) at = this.endS;
      else if (wanted < this.endS) at = Infinity; // too much of it: what was placed is heard first
    }
    if (at - wanted > SLACK_S) return null;
    this.endS = at + lengthS;
    return at;
  }
}
