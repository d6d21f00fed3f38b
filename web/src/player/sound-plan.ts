// When a piece of sound is to be heard: beside the picture of its wall clock. All times in seconds of the audio clock.

/** Sound is placed so far behind the picture at least, so that the next piece is there in time. */
const LEAST_DELAY_S = 0.04;
/** And so far at most, where a busy browser or the camera brings it late: heard a little behind beats not heard. */
const MOST_DELAY_S = 0.4;
/** Pieces that came in time for so long bring the sound nearer to the picture again. */
const CALM_S = 10;
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
  private delayS = LEAST_DELAY_S;
  /** The least time that pieces were early by, since when. */
  private earlyS = Infinity;
  private earlySinceS = 0;

  /** A picture is on the screen. True: of another moment than the one before, so what was placed is to be placed anew. */
  shown(wallUs: number, atS: number): boolean {
    const offsetS = atS - wallUs / 1e6;
    const step = this.offsetS === null ? 0 : offsetS - this.offsetS;
    const isOther = Math.abs(step) > JUMP_S;
    if (isOther) this.reset();
    this.offsetS = this.offsetS === null ? offsetS : this.offsetS + step * SHARE;
    this.shownS = atS;
    return isOther;
  }

  reset(): void {
    this.offsetS = null;
    this.endS = 0;
    this.earlyS = Infinity;
  }

  /** Its moment is over: a piece that had no picture to be placed by is then not heard, and says nothing of the delay. */
  isPast(wallUs: number, nowS: number): boolean {
    return this.offsetS !== null && wallUs / 1e6 + this.offsetS + this.delayS < nowS;
  }

  get isReady(): boolean {
    return this.offsetS !== null;
  }

  /** When the piece begins; null: it came too late, or there is no picture it belongs to. */
  place(wallUs: number, lengthS: number, nowS: number): number | null {
    if (this.offsetS === null || nowS - this.shownS > STALE_S) return null;
    const pictureS = wallUs / 1e6 + this.offsetS;
    if (!this.adapt(pictureS, nowS)) return null;
    const wanted = pictureS + this.delayS;
    let at = Math.max(wanted, nowS);
    if (this.endS > nowS) {
      if (Math.abs(this.endS - wanted) < SLACK_S) at = this.endS;
      else if (wanted < this.endS) return null; // too much of it: what was placed is heard first
    }
    this.endS = at + lengthS;
    return at;
  }

  /** Makes the delay as long as pieces need; false: this one is too late for any. */
  private adapt(pictureS: number, nowS: number): boolean {
    const needed = nowS - pictureS;
    if (needed > MOST_DELAY_S) return false;
    if (needed > this.delayS) {
      this.delayS = Math.min(MOST_DELAY_S, needed + LEAST_DELAY_S);
      this.earlyS = Infinity;
    }
    if (this.earlyS === Infinity) this.earlySinceS = nowS;
    this.earlyS = Math.min(this.earlyS, this.delayS - needed);
    if (nowS - this.earlySinceS > CALM_S) {
      this.delayS = Math.max(LEAST_DELAY_S, this.delayS - Math.max(0, this.earlyS - LEAST_DELAY_S));
      this.earlyS = Infinity;
    }
    return true;
  }
}
