// Media Source into a video element: for pages that are not a secure context, or codecs WebCodecs lacks.

import { mimeOf, type Decoder, type DecoderEvents, type PlayMode } from './decoder';
import type { MediaHeader } from './media-header';
import type { VideoTrack } from './mp4';
import { PlayoutClock } from './playout-clock';
import { WallTimes } from './wall-times';

const LIVE_TARGET_S = 0.25;
const LIVE_CHASE_S = 0.5;
const LIVE_JUMP_S = 1.0;
const LIVE_KEEP_S = 4;
const RECORDED_KEEP_S = 20;
/** Above this the server sends only key frames. */
const CONTINUOUS_SPEED_MOST = 4;
const SLIDE_MS = 60;
const JUMP_REST_MS = 2000;
const SEEK_SLACK_S = 0.5;
const STEPS_MOST = 30;
const PLEAS_MOST = 16;
const QUEUE_MOST_BYTES = 32 * 1024 * 1024;

function concat(pieces: Uint8Array[]): Uint8Array {
  const first = pieces[0];
  if (first && pieces.length === 1) return first;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

export class MseDecoder implements Decoder {
  readonly kind = 'mse';
  readonly element: HTMLVideoElement;

  private source: MediaSource | null = null;
  private buffer: SourceBuffer | null = null;
  private url = '';
  private mime = '';
  private timescale = 90000;
  private queue: Uint8Array[] = [];
  private queueBytes = 0;
  private needsKey = true;
  private isPlaced = false;
  private isHungry = false;
  private jumpedAtMs = 0;
  private isShown = false;
  private expectedS: number | null = null;
  private pleas = 0;
  private stepsOwed = 0;
  private mode: PlayMode = { isLive: true, speed: 1, paused: false, fromUs: 0, serial: 0 };
  private readonly times = new WallTimes();
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly clock = new PlayoutClock();
  private slideTimer: ReturnType<typeof setInterval> | null = null;
  private watch = 0;
  private lastMediaTime = -1;
  private isDestroyed = false;

  constructor(private readonly events: DecoderEvents) {
    this.element = document.createElement('video');
    this.element.muted = true;
    this.element.playsInline = true;
    this.element.disablePictureInPicture = true;
    this.element.addEventListener('error', () => this.elementFailed());
    this.timer = setInterval(() => this.keepUp(), 250);
    this.watchPictures();
  }

  init(track: VideoTrack, piece: Uint8Array, codec: string): void {
    this.timescale = track.timescale;
    const mime = mimeOf(codec);
    this.needsKey = true;
    if (!this.source) this.openSource(mime);
    else if (mime !== this.mime) this.changeType(mime);
    this.enqueue(piece);
  }

  push(header: MediaHeader, piece: Uint8Array): void {
    if (!this.source) return;
    if (header.isDiscontinuity) this.needsKey = true;
    if (this.needsKey && !header.isKey) return;
    this.needsKey = false;
    this.isHungry = false;
    this.times.add(header.pts / this.timescale, header.wallUs);
    this.enqueue(piece);
  }

  setMode(mode: PlayMode): void {
    const isOther = mode.serial !== this.mode.serial;
    this.mode = mode;
    if (isOther) this.startOver();
    const now = performance.now();
    this.clock.setSpeed(mode.speed, now);
    this.clock.setPaused(mode.paused, now);
    this.setPace();
  }

  /** Key frames only, with holes between: shown one by one instead of played. */
  private get isSlideShow(): boolean {
    return !this.mode.isLive && this.mode.speed > CONTINUOUS_SPEED_MOST;
  }

  private setPace(): void {
    const { mode, element } = this;
    element.playbackRate = mode.isLive || this.isSlideShow ? 1 : mode.speed;
    if (this.slideTimer) clearInterval(this.slideTimer);
    this.slideTimer = null;
    if (mode.paused || this.isSlideShow) element.pause();
    else if (this.isPlaced) this.play();
    if (this.isSlideShow && !mode.paused) {
      this.clock.reset();
      this.slideTimer = setInterval(() => this.showSlide(), SLIDE_MS);
    }
  }

  private showSlide(): void {
    const { element, times } = this;
    if (!this.isPlaced || element.seeking) return;
    const now = performance.now();
    if (!this.clock.isAnchored) this.clock.dueIn(times.wallAt(element.currentTime), now);
    const seconds = times.secondsBefore(this.clock.positionUs(now));
    if (seconds !== null && seconds > element.currentTime) element.currentTime = seconds + 0.001;
  }

  step(): void {
    if (!this.mode.paused) return;
    this.stepsOwed = Math.min(this.stepsOwed + 1, STEPS_MOST);
    this.tryStep();
  }

  private tryStep(): void {
    if (this.stepsOwed === 0) return;
    const next = this.times.next(this.element.currentTime);
    if (next === null) {
      this.askForMore();
      return;
    }
    this.stepsOwed -= 1;
    this.goTo(next);
  }

  private goTo(seconds: number): void {
    this.isShown = false;
    this.pleas = 0;
    this.expectedS = this.mode.isLive ? null : seconds;
    this.element.currentTime = seconds + 0.001;
  }

  finish(): void {
    // the last pictures are in the buffer already; nothing is held back
  }

  copyTo(canvas: HTMLCanvasElement): boolean {
    if (this.element.videoWidth === 0 || this.element.readyState < 2) return false;
    canvas.width = this.element.videoWidth;
    canvas.height = this.element.videoHeight;
    canvas.getContext('2d')?.drawImage(this.element, 0, 0);
    return true;
  }

  destroy(): void {
    this.isDestroyed = true;
    clearInterval(this.timer);
    if (this.slideTimer) clearInterval(this.slideTimer);
    if ('cancelVideoFrameCallback' in this.element)
      this.element.cancelVideoFrameCallback(this.watch);
    this.closeSource();
    this.element.remove();
  }

  private openSource(mime: string): void {
    const source = new MediaSource();
    this.source = source;
    this.mime = mime;
    this.url = URL.createObjectURL(source);
    source.addEventListener(
      'sourceopen',
      () => {
        if (source !== this.source) return;
        try {
          this.buffer = source.addSourceBuffer(this.mime);
        } catch (error) {
          this.events.failed(String(error));
          return;
        }
        this.buffer.addEventListener('updateend', () => this.appended());
        this.flush();
      },
      { once: true },
    );
    this.element.src = this.url;
  }

  private changeType(mime: string): void {
    this.mime = mime;
    try {
      if (this.buffer && !this.buffer.updating) this.buffer.changeType(mime);
    } catch (error) {
      this.events.failed(String(error));
    }
  }

  private closeSource(): void {
    this.buffer = null;
    this.source = null;
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = '';
    this.element.removeAttribute('src');
    this.element.load();
  }

  /** A seek: an empty buffer, and the position is taken from the first picture that arrives. */
  private startOver(): void {
    this.queue = [];
    this.queueBytes = 0;
    this.needsKey = true;
    this.isPlaced = false;
    this.isHungry = false;
    this.isShown = false;
    this.stepsOwed = 0;
    this.lastMediaTime = -1;
    this.times.clear();
    if (!this.buffer || this.source?.readyState !== 'open') return;
    try {
      this.buffer.abort();
      this.buffer.remove(0, Infinity);
    } catch {
      // an empty buffer has nothing to remove
    }
  }

  private enqueue(piece: Uint8Array): void {
    this.queue.push(piece);
    this.queueBytes += piece.byteLength;
    if (this.queueBytes > QUEUE_MOST_BYTES) {
      this.events.failed('media arrives faster than the browser takes it');
      return;
    }
    this.flush();
  }

  private flush(): void {
    const buffer = this.buffer;
    if (!buffer || buffer.updating || this.queue.length === 0) return;
    const pieces = this.queue;
    this.queue = [];
    this.queueBytes = 0;
    const whole = concat(pieces);
    try {
      buffer.appendBuffer(whole);
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== 'QuotaExceededError') {
        this.events.failed(String(error));
        return;
      }
      this.queue = [whole];
      this.queueBytes = whole.byteLength;
      this.trim(0.5);
    }
  }

  private appended(): void {
    if (this.isDestroyed) return;
    this.place();
    this.tryStep();
    this.flush();
  }

  /** Puts the play position where pictures are, once after every start. */
  private place(): void {
    const { element, mode } = this;
    const ranges = element.buffered;
    if (this.isPlaced || ranges.length === 0) return;
    const start = ranges.start(0);
    const end = ranges.end(ranges.length - 1);
    if (mode.isLive) {
      this.goTo(Math.max(start, end - LIVE_TARGET_S));
    } else {
      const at = this.times.secondsAt(mode.fromUs);
      if (at === null) {
        if (mode.paused) this.askForMore();
        return;
      }
      this.goTo(Math.max(start, at));
    }
    this.isPlaced = true;
    this.setPace();
  }

  private play(): void {
    this.element.play().catch(() => undefined); // muted playback is allowed; an abort by a new source is fine
  }

  private keepUp(): void {
    const { element } = this;
    const ranges = element.buffered;
    if (!this.isPlaced || ranges.length === 0) return;
    this.pleadForPicture();
    if (!this.isSlideShow) this.leaveHole(ranges);
    if (this.mode.isLive) this.chase(ranges.end(ranges.length - 1));
    if (element.paused && !this.mode.paused && !this.isSlideShow) this.play();
    const keep = this.mode.isLive ? LIVE_KEEP_S : RECORDED_KEEP_S;
    if (element.currentTime - ranges.start(0) > keep * 2) this.trim(keep);
  }

  /** Paused: decoders that reorder hold the wanted picture back until later ones arrive. */
  private pleadForPicture(): void {
    if (!this.mode.paused || this.isShown || this.pleas >= PLEAS_MOST) return;
    this.pleas += 1;
    this.isHungry = false;
    this.askForMore();
  }

  private leaveHole(ranges: TimeRanges): void {
    const at = this.element.currentTime;
    for (let i = 0; i < ranges.length; i++) {
      if (at < ranges.start(i) - 0.02) {
        const before = i === 0 || at >= ranges.end(i - 1) - 0.15;
        if (before) this.element.currentTime = ranges.start(i) + 0.001;
        return;
      }
    }
  }

  private chase(end: number): void {
    const { element } = this;
    const behind = end - element.currentTime;
    const now = performance.now();
    if (behind > LIVE_JUMP_S && now - this.jumpedAtMs > JUMP_REST_MS) {
      this.jumpedAtMs = now; // each jump decodes from the key frame again: not in a row
      element.currentTime = end - LIVE_TARGET_S;
    } else if (behind > LIVE_CHASE_S) element.playbackRate = 1.1;
    else if (behind < LIVE_TARGET_S + 0.05) element.playbackRate = 1;
  }

  private trim(keepS: number): void {
    const { buffer, element } = this;
    if (!buffer || buffer.updating || buffer.buffered.length === 0) return;
    const to = element.currentTime - keepS;
    if (to > buffer.buffered.start(0)) buffer.remove(0, to);
  }

  private watchPictures(): void {
    const { element } = this;
    if ('requestVideoFrameCallback' in element) {
      this.watch = element.requestVideoFrameCallback((_now, metadata) => {
        if (this.isDestroyed) return;
        this.shown(metadata.mediaTime);
        this.watchPictures();
      });
    } else {
      (element as HTMLVideoElement).addEventListener('timeupdate', () =>
        this.shown((element as HTMLVideoElement).currentTime),
      );
    }
  }

  private shown(mediaTime: number): void {
    if (!this.isPlaced || mediaTime === this.lastMediaTime) return;
    // Right after a seek the element may still tell about the picture from before it.
    if (this.expectedS !== null && Math.abs(mediaTime - this.expectedS) > SEEK_SLACK_S) return;
    this.expectedS = null;
    this.lastMediaTime = mediaTime;
    this.isShown = true;
    this.events.picture(this.times.wallAt(mediaTime));
  }

  private askForMore(): void {
    if (this.isHungry) return;
    this.isHungry = true;
    this.events.hungry();
  }

  private elementFailed(): void {
    const error = this.element.error;
    if (error && this.source) this.events.failed(error.message || `media error ${error.code}`);
  }
}
