// One tile: asks for a camera, decodes what comes, and knows at every moment whether it is live.

import { IntervalMeter, Rate, stallAfterMs } from './counters';
import { chooseDecoder, type Decoder, type DecoderKind, type DecoderPreference } from './decoder';
import { PieceKind, type MediaHeader } from './media-header';
import type {
  ErrorMessage,
  FormatMessage,
  GapMessage,
  Pick,
  PickedMessage,
  StateMessage,
  StreamChoice,
  StreamName,
  TileMessage,
} from './messages';
import { MseDecoder } from './mse-decoder';
import { parseInit, parseSound, withoutSound } from './mp4';
import { openSound, type SoundOutput } from './sound';
import type { Subscription, TileListener, WallClient } from './wall-client';
import { WebCodecsDecoder } from './webcodecs-decoder';

export type TileStatus =
  /** no camera */
  | 'empty'
  /** asked for, no picture yet */
  | 'connecting'
  /** pictures advance */
  | 'playing'
  /** recorded, held by the person */
  | 'paused'
  /** no picture for longer than the stall rule allows; the last one stays */
  | 'stalled'
  /** recorded: everything there is has been shown */
  | 'ended'
  /** still pictures every few seconds, because the browser cannot decode the stream */
  | 'snapshot'
  /** the server refused */
  | 'error';

export type SoundStatus =
  /** not asked for */
  | 'off'
  /** asked for, nothing heard yet */
  | 'waiting'
  /** it is heard */
  | 'on'
  /** the stream has none */
  | 'none'
  /** the browser cannot play it */
  | 'failed';

export interface TileInfo {
  tile: number;
  status: TileStatus;
  camera: string | null;
  stream: StreamName | null;
  isLive: boolean;
  codec: string;
  width: number;
  height: number;
  decoder: DecoderKind | null;
  /** Newest word of the server about the stream. */
  cause: string;
  detail: string;
  retryAtMs: number;
  /** The page's connection to the server is down: the reason for everything else. */
  isServerLost: boolean;
  /** Media has come within the last seconds, whether or not it could be shown. */
  isArriving: boolean;
  errorCode: string;
  /** The browser cannot decode this codec (then status is snapshot, or stream was changed to sub). */
  undecodable: string;
  /** Wall clock of the shown picture, microseconds; 0 = none shown yet. */
  wallUs: number;
  /** Our clock when the shown picture was drawn, and when the tile began to wait. */
  drawnAtMs: number;
  waitingSinceMs: number;
  frames: number;
  fps: number;
  bitrateBps: number;
  delayS: number | null;
  dropped: number;
  sound: SoundStatus;
  lastGap: { fromMs: number; toMs: number; cause: string } | null;
}

export interface TilePlayerOptions {
  wall: WallClient;
  tile: number;
  preference?: DecoderPreference;
  snapshotUrl: (camera: string, atMs: number | null) => string;
  /** So that tests can listen. */
  openSound?: typeof openSound;
  now?: () => number;
}

const PENDING_MOST = 600;
const SNAPSHOT_MS = 2000;
const FAILURES_MOST = 3;
const FAILURE_WINDOW_MS = 15000;
const RESUBSCRIBE_MS = 1000;
const ARRIVING_MS = 1500;
/** Pictures come, and no sound with them: the stream has none. */
const SOUND_WAIT_MS = 5000;

type Pending = { format: FormatMessage } | { header: MediaHeader; piece: Uint8Array };

function emptyInfo(tile: number): TileInfo {
  return {
    tile,
    status: 'empty',
    camera: null,
    stream: null,
    isLive: true,
    codec: '',
    width: 0,
    height: 0,
    decoder: null,
    cause: '',
    detail: '',
    retryAtMs: 0,
    isServerLost: false,
    isArriving: false,
    errorCode: '',
    undecodable: '',
    wallUs: 0,
    drawnAtMs: 0,
    waitingSinceMs: 0,
    frames: 0,
    fps: 0,
    bitrateBps: 0,
    delayS: null,
    dropped: 0,
    sound: 'off',
    lastGap: null,
  };
}

export class TilePlayer implements TileListener {
  readonly info: TileInfo;
  onChange: () => void = () => undefined;
  /** A recorded tile showed a picture: the cursor moved. */
  onPicture: (wallUs: number) => void = () => undefined;

  private readonly wall: WallClient;
  private readonly preference: DecoderPreference;
  private readonly now: () => number;
  private host: HTMLElement | null = null;
  private decoder: Decoder | null = null;
  /** Keeps the last picture on the screen until `decoder` has one. */
  private previous: Decoder | null = null;
  private still: HTMLImageElement | null = null;
  private stillTimer: ReturnType<typeof setTimeout> | null = null;
  private request: Subscription | null = null;
  private tried: Set<StreamChoice> = new Set();
  private pending: Pending[] | null = null;
  private serial = 0;
  /** The server named the picture to show. */
  private isPicked = false;
  private sound: SoundOutput | null = null;
  private soundSinceMs = 0;
  private arrivedAtMs = 0;
  private isVisible = true;
  private readonly intervals = new IntervalMeter();
  private readonly frameRate = new Rate();
  private readonly bitRate = new Rate();
  private failures: number[] = [];
  private retryTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: TilePlayerOptions) {
    this.wall = options.wall;
    this.preference = options.preference ?? 'auto';
    this.now = options.now ?? (() => Date.now());
    this.info = emptyInfo(options.tile);
  }

  /** The element that holds the picture; it may come and go while the tile lives. */
  attach(host: HTMLElement | null): void {
    this.host = host;
    if (!host) return;
    for (const element of [this.previous?.element, this.decoder?.element, this.still])
      if (element) host.append(element);
  }

  show(subscription: Subscription): void {
    const isOther = subscription.camera !== this.info.camera;
    if (isOther) this.clearPicture();
    else this.keepPicture();
    const { camera, atMs } = subscription;
    this.request = { ...subscription };
    this.tried = new Set([subscription.stream]);
    Object.assign(this.info, {
      camera,
      isLive: atMs === undefined,
      cause: isOther ? '' : this.info.cause,
      errorCode: '',
      undecodable: '',
      lastGap: null,
    });
    this.failures = [];
    this.stopStill();
    this.subscribe();
  }

  clear(): void {
    this.wall.unsubscribe(this.info.tile);
    this.request = null;
    this.clearPicture();
    this.stopStill();
    this.cancelRetry();
    this.sound?.close();
    this.sound = null;
    Object.assign(this.info, emptyInfo(this.info.tile));
    this.onChange();
  }

  destroy(): void {
    this.clear();
    this.onChange = () => undefined;
    this.host = null;
  }

  /** Another stream of the same camera; the picture stays until the other one begins. */
  setStream(stream: StreamChoice): void {
    if (!this.request || this.request.stream === stream) return;
    this.show({ ...this.request, stream });
  }

  /** Sound on or off; in answer to a click or a key, else the browser keeps it silent. */
  setSound(isOn: boolean): void {
    const { request, info } = this;
    if (isOn === (this.sound !== null)) return;
    this.sound?.close();
    this.sound = null;
    info.sound = isOn ? 'waiting' : 'off';
    if (isOn) {
      const open = this.options.openSound ?? openSound;
      this.sound = open({ heard: () => this.soundIs('on'), failed: () => this.soundIs('failed') });
      this.soundSinceMs = this.now();
      if (!this.sound) info.sound = 'failed';
    }
    if (request) {
      const atMs =
        request.atMs !== undefined && info.wallUs > 0 ? info.wallUs / 1000 : request.atMs;
      this.show({
        ...request,
        audio: this.sound !== null,
        ...(atMs === undefined ? {} : { atMs }),
      });
    }
    this.onChange();
  }

  private soundIs(status: SoundStatus): void {
    if (!this.sound || this.info.sound === status) return;
    this.info.sound = status;
    this.onChange();
  }

  seek(atMs: number | 'live', pick: Pick = 'at'): void {
    if (!this.request) return;
    this.isPicked = false;
    this.sound?.reset();
    const { request, info } = this;
    if (atMs === 'live') {
      delete request.atMs;
      request.paused = false;
      request.speed = 1;
    } else {
      request.atMs = atMs;
    }
    const wasLive = info.isLive;
    info.isLive = atMs === 'live';
    info.lastGap = null;
    const isStill = info.status === 'snapshot';
    if (wasLive !== info.isLive || info.errorCode || isStill || !this.decoder) {
      this.show(request);
      return;
    }
    this.serial += 1;
    this.pending = null;
    this.wall.seek(info.tile, atMs, pick);
    this.wait(request.paused ? 'paused' : 'connecting');
    this.applyMode();
    this.onChange();
  }

  setSpeed(speed: number, paused: boolean): void {
    const { request, info } = this;
    if (!request || request.atMs === undefined) return;
    request.speed = speed;
    request.paused = paused;
    this.sound?.reset();
    this.wall.speed(info.tile, speed, paused);
    this.applyMode();
    if (paused) info.status = info.status === 'ended' ? 'ended' : 'paused';
    else if (info.status === 'paused') this.wait('playing');
    this.onChange();
  }

  step(): void {
    this.decoder?.step();
  }

  setVisible(isVisible: boolean): void {
    if (this.isVisible === isVisible) return;
    this.isVisible = isVisible;
    this.info.waitingSinceMs = this.now(); // what was not looked at cannot have stalled
    this.intervals.reset();
  }

  /** Called a few times a second: measures, and applies the stall rule. */
  tick(): void {
    const now = this.now();
    const { info } = this;
    info.fps = this.frameRate.perSecond(now);
    info.bitrateBps = this.bitRate.perSecond(now) * 8;
    info.isServerLost = this.wall.status !== 'open';
    info.isArriving = now - this.arrivedAtMs < ARRIVING_MS;
    if (info.sound === 'waiting' && now - this.soundSinceMs > SOUND_WAIT_MS) this.soundIs('none');
    const wasStatus = info.status;
    if (this.isVisible && info.isLive) {
      if (info.status === 'playing' && this.isOverdue(now)) info.status = 'stalled';
      if (info.status === 'connecting' && this.hasWaitedWithReason(now)) info.status = 'stalled';
    }
    if (info.status === 'stalled' || info.status === 'connecting') info.delayS = null;
    if (info.status !== wasStatus) this.onChange();
  }

  /** A JPEG-able canvas of what is shown, or null. */
  capture(): HTMLCanvasElement | null {
    const canvas = document.createElement('canvas');
    const shown = this.previous ?? this.decoder;
    if (shown?.copyTo(canvas)) return canvas;
    if (!this.still?.naturalWidth) return null;
    canvas.width = this.still.naturalWidth;
    canvas.height = this.still.naturalHeight;
    canvas.getContext('2d')?.drawImage(this.still, 0, 0);
    return canvas;
  }

  // TileListener -----------------------------------------------------------------------------------

  resume(): Subscription | null {
    if (!this.request || this.info.status === 'snapshot') return null;
    this.keepPicture();
    this.newStart();
    const { request, info } = this;
    if (request.atMs !== undefined && info.wallUs > 0) request.atMs = info.wallUs / 1000;
    return request;
  }

  message(message: TileMessage): void {
    const { info } = this;
    switch (message.type) {
      case 'subscribed':
        info.stream = message.stream;
        info.isLive = message.mode === 'live';
        break;
      case 'picked':
        this.picked(message);
        break;
      case 'format':
        this.formatChanged(message);
        break;
      case 'state':
        this.stateChanged(message);
        break;
      case 'gap':
        this.gapReached(message);
        break;
      case 'end':
        this.decoder?.finish();
        info.status = 'ended';
        break;
      case 'dropped':
        info.dropped += message.packets;
        break;
      case 'error':
        this.refused(message);
        break;
    }
    this.onChange();
  }

  media(header: MediaHeader, piece: Uint8Array): void {
    if (header.isAudio) {
      this.sound?.push(header.wallUs, piece.subarray(header.offset));
      return;
    }
    this.arrivedAtMs = this.now();
    this.bitRate.add(piece.byteLength, this.arrivedAtMs);
    if (this.pending) {
      if (this.pending.length < PENDING_MOST) this.pending.push({ header, piece });
      return;
    }
    this.take(header, piece);
  }

  // ------------------------------------------------------------------------------------------------

  private subscribe(): void {
    if (!this.request) return;
    this.cancelRetry();
    this.newStart();
    this.wall.subscribe(this.info.tile, this.request, this);
    this.onChange();
  }

  private newStart(): void {
    this.serial += 1;
    this.isPicked = false;
    this.sound?.reset();
    this.pending = null;
    this.wait('connecting');
  }

  private wait(status: TileStatus): void {
    this.info.status = status;
    this.info.waitingSinceMs = this.now();
    this.intervals.reset();
    this.frameRate.reset();
  }

  private isOverdue(now: number): boolean {
    const since = Math.max(this.info.drawnAtMs, this.info.waitingSinceMs);
    return now - since > stallAfterMs(this.intervals.usualMs);
  }

  private hasWaitedWithReason(now: number): boolean {
    const { cause, waitingSinceMs, isServerLost } = this.info;
    const hasReason = isServerLost || !['', 'ok', 'connecting'].includes(cause);
    return hasReason && now - waitingSinceMs > stallAfterMs(0);
  }

  private applyMode(): void {
    const { request, info } = this;
    if (!request) return;
    this.decoder?.setMode({
      isLive: info.isLive,
      speed: request.speed ?? 1,
      paused: request.paused ?? false,
      fromUs: Math.floor((request.atMs ?? 0) * 1000) - (this.isPicked ? 0 : 20000),
      serial: this.serial,
    });
  }

  private picked({ at }: PickedMessage): void {
    if (!this.request) return;
    this.request.atMs = Date.parse(at);
    this.isPicked = true;
    this.applyMode();
  }

  private formatChanged(format: FormatMessage): void {
    const { info } = this;
    info.codec = format.codec;
    info.width = format.width;
    info.height = format.height;
    if (this.pending) {
      this.pending.push({ format });
      return;
    }
    const choice = chooseDecoder(format.codec_string, this.preference);
    if (choice instanceof Promise) {
      const serial = this.serial;
      this.pending = [];
      void choice.then((kind) => {
        if (serial === this.serial) this.decided(format, kind);
      });
    } else {
      this.decided(format, choice);
    }
  }

  private decided(format: FormatMessage, kind: DecoderKind | null): void {
    const pending = this.pending ?? [];
    this.pending = null;
    if (kind === null) {
      this.cannotDecode(format.codec);
      return;
    }
    this.info.decoder = kind;
    if (this.decoder?.kind !== kind) this.replaceDecoder(kind);
    this.codecString = format.codec_string;
    for (const item of pending) {
      if ('format' in item) this.formatChanged(item.format);
      else this.media(item.header, item.piece);
    }
  }

  private codecString = '';

  private replaceDecoder(kind: DecoderKind): void {
    this.keepPicture();
    const events = {
      picture: (wallUs: number) => {
        if (this.decoder === decoder) this.pictureShown(wallUs);
      },
      failed: (reason: string) => {
        if (this.decoder === decoder) this.decoderFailed(reason);
      },
      hungry: () => {
        if (this.decoder === decoder) this.wall.step(this.info.tile);
      },
    };
    const decoder: Decoder =
      kind === 'mse' ? new MseDecoder(events) : new WebCodecsDecoder(events, kind);
    this.decoder = decoder;
    decoder.element.classList.add('picture');
    this.host?.append(decoder.element);
    this.applyMode();
  }

  private take(header: MediaHeader, piece: Uint8Array): void {
    if (!this.decoder) return;
    if (header.kind === PieceKind.init) {
      const track = parseInit(piece);
      if (!track) {
        this.decoderFailed('the init segment has no video track');
        return;
      }
      this.applyMode();
      this.sound?.configure(parseSound(piece));
      this.decoder.init(track, withoutSound(piece), this.codecString || track.codec);
    } else {
      this.decoder.push(header, piece);
    }
  }

  private pictureShown(wallUs: number): void {
    const now = this.now();
    const { info, request } = this;
    if (this.previous) {
      this.previous.destroy();
      this.previous = null;
    }
    info.frames += 1;
    info.drawnAtMs = now;
    this.intervals.picture(now);
    this.frameRate.add(1, now);
    if (wallUs > 0) {
      info.wallUs = wallUs;
      this.sound?.picture(wallUs);
      const delay = (now + this.wall.serverOffsetMs - wallUs / 1000) / 1000;
      info.delayS = info.isLive ? Math.max(0, delay) : null;
    }
    const status = request?.paused && !info.isLive ? 'paused' : 'playing';
    if (info.status !== status && info.status !== 'ended') {
      info.status = status;
      this.onChange();
    }
    if (!info.isLive) this.onPicture(wallUs);
  }

  private stateChanged(message: StateMessage): void {
    const { info } = this;
    info.cause = message.cause;
    info.detail = message.detail;
    info.retryAtMs = message.retry_s === null ? 0 : this.now() + message.retry_s * 1000;
  }

  private gapReached(message: GapMessage): void {
    this.info.lastGap = {
      fromMs: Date.parse(message.from),
      toMs: Date.parse(message.to),
      cause: message.cause,
    };
  }

  private refused(message: ErrorMessage): void {
    const { info } = this;
    if (info.undecodable) return this.startStill(info.undecodable);
    info.status = 'error';
    info.errorCode = message.code;
    info.detail = message.detail;
  }

  /** The codec is beyond this browser: the other stream may be an easier one, else still pictures. */
  private cannotDecode(codec: string): void {
    const { info, request } = this;
    if (!request) return;
    info.undecodable = codec;
    const shown: StreamName = info.stream ?? 'main';
    this.tried.add(shown);
    const other: StreamName = shown === 'main' ? 'sub' : 'main';
    if (this.tried.has(other)) {
      this.startStill(codec);
      return;
    }
    this.tried.add(other);
    request.stream = other;
    this.subscribe();
  }

  private startStill(codec: string): void {
    const { info } = this;
    this.wall.unsubscribe(info.tile);
    info.undecodable = codec;
    info.decoder = null;
    info.status = 'snapshot';
    this.keepPicture();
    if (!this.still) {
      this.still = document.createElement('img');
      this.still.alt = '';
      this.still.className = 'picture';
      this.host?.append(this.still);
    }
    this.refreshStill();
    this.onChange();
  }

  private refreshStill(): void {
    const { still, info, request } = this;
    if (!still || !info.camera || !request) return;
    const next = new Image();
    const done = () => {
      if (this.still !== still) return;
      if (next.naturalWidth > 0) {
        still.src = next.src;
        info.frames += 1;
        info.drawnAtMs = this.now();
        info.wallUs = (request.atMs ?? info.drawnAtMs + this.wall.serverOffsetMs) * 1000;
      }
      const isMoving = request.atMs === undefined;
      if (isMoving) this.stillTimer = setTimeout(() => this.refreshStill(), SNAPSHOT_MS);
    };
    next.onload = next.onerror = done;
    next.src = this.options.snapshotUrl(info.camera, request.atMs ?? null);
  }

  private stopStill(): void {
    if (this.stillTimer) clearTimeout(this.stillTimer);
    this.stillTimer = null;
    this.still?.remove();
    this.still = null;
  }

  /** Asks again after a failure of the decoder; too many in a row are an error a person sees. */
  private decoderFailed(reason: string): void {
    const now = this.now();
    const { info } = this;
    this.keepPicture();
    this.failures = this.failures.filter((at) => now - at < FAILURE_WINDOW_MS);
    this.failures.push(now);
    info.detail = reason;
    if (this.failures.length >= FAILURES_MOST) {
      this.wall.unsubscribe(info.tile);
      info.status = 'error';
      info.errorCode = 'decoder';
      this.onChange();
      return;
    }
    this.cancelRetry();
    this.retryTimer = setTimeout(() => this.subscribe(), RESUBSCRIBE_MS);
  }

  private cancelRetry(): void {
    if (this.retryTimer) clearTimeout(this.retryTimer);
    this.retryTimer = null;
  }

  private keepPicture(): void {
    if (!this.decoder) return;
    if (this.previous) this.decoder.destroy();
    else this.previous = this.decoder;
    this.decoder = null;
  }

  private clearPicture(): void {
    this.previous?.destroy();
    this.decoder?.destroy();
    this.previous = null;
    this.decoder = null;
    this.info.wallUs = 0;
    this.info.drawnAtMs = 0;
  }
}
