// When recorded pictures are due: maps the pictures' wall clock to the page's monotonic clock at a speed.

/** A step between pictures larger than this (in shown time) is a hole to jump over, not to wait for. */
const HOLE_MS = 3000;
/** Later than this means decoding or delivery fell behind: go on from here instead of racing. */
const LATE_MS = 400;

export class PlayoutClock {
  private anchorWallUs = 0;
  private anchorMs = 0;
  private hasAnchor = false;
  private rate = 1;
  private pausedAtUs: number | null = null;

  get speed(): number {
    return this.rate;
  }

  get isAnchored(): boolean {
    return this.hasAnchor;
  }

  get isPaused(): boolean {
    return this.pausedAtUs !== null;
  }

  /** Forget the position; the next picture is due at once. */
  reset(): void {
    this.hasAnchor = false;
    if (this.pausedAtUs !== null) this.pausedAtUs = 0;
  }

  positionUs(nowMs: number): number {
    if (this.pausedAtUs !== null) return this.pausedAtUs;
    return this.anchorWallUs + (nowMs - this.anchorMs) * 1000 * this.rate;
  }

  setSpeed(speed: number, nowMs: number): void {
    const position = this.positionUs(nowMs);
    this.rate = speed;
    if (this.pausedAtUs === null) this.anchor(position, nowMs);
  }

  setPaused(paused: boolean, nowMs: number): void {
    if (paused === this.isPaused) return;
    if (paused) {
      this.pausedAtUs = this.hasAnchor ? this.positionUs(nowMs) : 0;
    } else {
      const position = this.pausedAtUs ?? 0;
      this.pausedAtUs = null;
      if (position > 0) this.anchor(position, nowMs);
      else this.hasAnchor = false;
    }
  }

  /** Milliseconds until the picture is due; 0 or less = show it. Infinity while paused. */
  dueIn(wallUs: number, nowMs: number): number {
    if (this.pausedAtUs !== null) return Infinity;
    if (!this.hasAnchor) {
      this.anchor(wallUs, nowMs);
      return 0;
    }
    const wait = (wallUs - this.positionUs(nowMs)) / 1000 / this.rate;
    if (wait > HOLE_MS || wait < -LATE_MS) {
      this.anchor(wallUs, nowMs);
      return 0;
    }
    return wait;
  }

  /** A picture was shown out of turn (a step, or the first after a paused seek). */
  shown(wallUs: number): void {
    if (this.pausedAtUs !== null) this.pausedAtUs = wallUs;
  }

  private anchor(wallUs: number, nowMs: number): void {
    this.anchorWallUs = wallUs;
    this.anchorMs = nowMs;
    this.hasAnchor = wallUs > 0;
  }
}
