// VideoDecoder, or the reader of images for MJPEG, + canvas. Live pictures are drawn as soon as they are decoded, only the newest per display
// refresh; recorded ones when the playout clock says they are due.

import type { Decoder, DecoderEvents, PlayMode } from './decoder';
import type { MediaHeader } from './media-header';
import type { VideoTrack } from './mp4';
import {
  openImageDecoder,
  openVideoDecoder,
  type AccessUnit,
  type Picture,
  type PictureDecoder,
} from './picture-decoders';
import { PlayoutClock } from './playout-clock';

/** Access units waiting inside the decoder; beyond this a live tile skips to the next key frame. */
const LIVE_QUEUE_MOST = 30;
/** Decoded recorded pictures held ready (each is an uncompressed picture). */
const READY_MOST = 4;
const DECODING_MOST = 8;
/** Recorded access units not decoded yet; the server is at most 3 s ahead, so this is never reached in health. */
const WAITING_MOST_BYTES = 48 * 1024 * 1024;
const WALLS_MOST = 512;

interface Unit extends AccessUnit {
  readonly wallUs: number;
  readonly isHole: boolean;
}

interface Ready {
  readonly frame: Picture;
  readonly wallUs: number;
}

export class WebCodecsDecoder implements Decoder {
  readonly element: HTMLCanvasElement;

  private readonly context: CanvasRenderingContext2D | null;
  private decoder: PictureDecoder | null = null;
  private config: VideoDecoderConfig | null = null;
  private timescale = 90000;
  private needsKey = true;
  private mode: PlayMode = { isLive: true, speed: 1, paused: false, fromUs: 0, serial: 0 };
  private readonly walls = new Map<number, number>();
  private waiting: Unit[] = [];
  private waitingBytes = 0;
  private ready: Ready[] = [];
  private readonly clock = new PlayoutClock();
  private frameRequest = 0;
  private lastShownUs = 0;
  private stepsOwed = 0;
  private isHungry = false;
  private isFinished = false;
  private isDestroyed = false;

  constructor(
    private readonly events: DecoderEvents,
    readonly kind: 'webcodecs' | 'images' = 'webcodecs',
  ) {
    this.element = document.createElement('canvas');
    this.element.width = 16;
    this.element.height = 9;
    this.context = this.element.getContext('2d', { alpha: false, desynchronized: false });
  }

  init(track: VideoTrack, _piece: Uint8Array, codec: string): void {
    this.timescale = track.timescale;
    this.config = {
      codec,
      codedWidth: track.width,
      codedHeight: track.height,
      description: track.description,
      optimizeForLatency: true,
    };
    this.needsKey = true;
    this.openDecoder();
  }

  push(header: MediaHeader, piece: Uint8Array): void {
    if (!this.decoder) return;
    if (header.isDiscontinuity) this.needsKey = true;
    if (this.mode.isLive && this.decoder.queueSize > LIVE_QUEUE_MOST) this.needsKey = true;
    if (this.needsKey && !header.isKey) return;
    this.needsKey = false;
    const unit: Unit = {
      wallUs: header.wallUs,
      timestamp: Math.round((header.pts * 1e6) / this.timescale),
      isKey: header.isKey,
      isHole: header.isDiscontinuity,
      data: piece.subarray(header.offset),
    };
    this.isHungry = false;
    if (this.mode.isLive) {
      this.decode(unit);
      return;
    }
    this.waiting.push(unit);
    this.waitingBytes += unit.data.byteLength;
    if (this.waitingBytes > WAITING_MOST_BYTES) this.dropWaiting();
    this.feed();
  }

  setMode(mode: PlayMode): void {
    const now = performance.now();
    const isOther = mode.serial !== this.mode.serial;
    this.mode = mode;
    if (isOther) {
      this.forget();
      this.openDecoder(); // what is inside the old one belongs to another moment
      this.clock.reset();
      this.lastShownUs = 0;
    }
    this.clock.setSpeed(mode.speed, now);
    this.clock.setPaused(mode.paused, now);
    this.plan();
  }

  step(): void {
    this.stepsOwed = Math.min(this.stepsOwed + 1, 30);
    this.plan();
  }

  finish(): void {
    this.isFinished = true;
    this.feed();
  }

  copyTo(canvas: HTMLCanvasElement): boolean {
    if (this.lastShownUs === 0) return false;
    canvas.width = this.element.width;
    canvas.height = this.element.height;
    canvas.getContext('2d')?.drawImage(this.element, 0, 0);
    return true;
  }

  destroy(): void {
    this.isDestroyed = true;
    cancelAnimationFrame(this.frameRequest);
    this.forget();
    this.decoder?.close();
    this.decoder = null;
    this.element.remove();
  }

  private openDecoder(): void {
    if (!this.config) return;
    this.decoder?.close();
    this.decoder = null;
    const events = {
      picture: (picture: Picture) => this.decoded(picture),
      skipped: () => this.feed(),
      failed: (reason: string) => this.events.failed(reason),
    };
    try {
      this.decoder =
        this.kind === 'images' ? openImageDecoder(events) : openVideoDecoder(this.config, events);
    } catch (error) {
      this.events.failed(String(error));
    }
  }

  private forget(): void {
    for (const { frame } of this.ready) frame.close();
    this.ready = [];
    this.dropWaiting();
    this.walls.clear();
    this.isFinished = false;
    this.isHungry = false;
    this.stepsOwed = 0;
  }

  private dropWaiting(): void {
    this.waiting = [];
    this.waitingBytes = 0;
    this.needsKey = true;
  }

  private decode(unit: Unit): void {
    if (!this.decoder?.isOpen) return;
    this.walls.set(unit.timestamp, unit.wallUs);
    if (this.walls.size > WALLS_MOST) {
      for (const oldest of this.walls.keys()) {
        this.walls.delete(oldest);
        break;
      }
    }
    try {
      this.decoder.decode(unit, this.mode.isLive);
    } catch (error) {
      this.events.failed(String(error));
    }
  }

  private feed(): void {
    const decoder = this.decoder;
    if (!decoder) return;
    while (
      this.waiting.length > 0 &&
      this.ready.length < READY_MOST &&
      decoder.queueSize < DECODING_MOST
    ) {
      const unit = this.waiting.shift();
      if (!unit) break;
      this.waitingBytes -= unit.data.byteLength;
      this.decode(unit);
    }
    if (this.isFinished && this.waiting.length === 0 && decoder.isOpen) {
      this.isFinished = false;
      this.needsKey = true;
      decoder.flush(); // pictures held back for reordering come out
    }
  }

  private decoded(frame: Picture): void {
    const wallUs = this.walls.get(frame.timestamp) ?? 0;
    this.walls.delete(frame.timestamp);
    if (this.isDestroyed) {
      frame.close();
      return;
    }
    if (this.mode.isLive) {
      for (const older of this.ready) older.frame.close();
      this.ready = [{ frame, wallUs }];
    } else if (wallUs < this.mode.fromUs) {
      frame.close(); // between the key frame and the moment asked for
      if (this.mode.paused && this.waiting.length === 0) this.askForMore();
      this.feed();
      return;
    } else {
      this.ready.push({ frame, wallUs });
    }
    this.plan();
  }

  private plan(): void {
    if (this.frameRequest !== 0 || this.isDestroyed) return;
    this.frameRequest = requestAnimationFrame(() => {
      this.frameRequest = 0;
      if (this.mode.isLive) this.drawNewest();
      else this.drawDue();
    });
  }

  private drawNewest(): void {
    const newest = this.ready.pop();
    this.ready = [];
    if (newest) this.draw(newest);
  }

  private drawDue(): void {
    const now = performance.now();
    const isFirst = this.lastShownUs === 0;
    if (this.mode.paused && (isFirst || this.stepsOwed > 0)) {
      const next = this.ready.shift();
      if (next) {
        if (!isFirst) this.stepsOwed -= 1;
        this.clock.shown(next.wallUs);
        this.draw(next);
      } else if (this.waiting.length === 0) {
        this.askForMore();
      }
    } else if (!this.mode.paused) {
      let due: Ready | null = null;
      for (let next = this.ready[0]; next; next = this.ready[0]) {
        if (this.clock.dueIn(next.wallUs, now) > 4) break;
        due?.frame.close();
        due = next;
        this.ready.shift();
      }
      if (due) this.draw(due);
    }
    this.feed();
    const isWaitingForTime = !this.mode.paused && this.ready.length > 0;
    const isStepping = this.mode.paused && this.stepsOwed > 0 && this.ready.length > 0;
    if (isWaitingForTime || isStepping) this.plan();
  }

  private askForMore(): void {
    if (this.isHungry) return;
    this.isHungry = true;
    this.events.hungry();
  }

  private draw({ frame, wallUs }: Ready): void {
    const { width, height } = frame;
    if (this.element.width !== width) this.element.width = width;
    if (this.element.height !== height) this.element.height = height;
    this.context?.drawImage(frame.source, 0, 0);
    frame.close();
    this.lastShownUs = wallUs || 1;
    this.events.picture(wallUs);
  }
}
