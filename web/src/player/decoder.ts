// What the ways of showing pictures (WebCodecs or images on a canvas, Media Source in a video element) have in common.

import type { MediaHeader } from './media-header';
import type { VideoTrack } from './mp4';

/** `images`: MJPEG, read by the browser as it reads any image. */
export type DecoderKind = 'webcodecs' | 'images' | 'mse';

export interface DecoderEvents {
  /** A picture is on the screen. */
  picture(wallUs: number): void;
  /** The decoder gave up; the tile subscribes again. */
  failed(reason: string): void;
  /** Paused, and nothing is left to show: the server is asked for one more picture. */
  hungry(): void;
}

export interface PlayMode {
  isLive: boolean;
  speed: number;
  paused: boolean;
  /** Recorded: pictures before this are decoded but not shown. Microseconds. */
  fromUs: number;
  /** Raised at every seek; what was queued for an older one is forgotten. */
  serial: number;
}

export interface Decoder {
  readonly kind: DecoderKind;
  readonly element: HTMLElement;
  /** A new format begins: `piece` is the init segment, `codec` what the server called it. */
  init(track: VideoTrack, piece: Uint8Array, codec: string): void;
  push(header: MediaHeader, piece: Uint8Array): void;
  setMode(mode: PlayMode): void;
  /** While paused: show the next picture. */
  step(): void;
  /** The server has sent everything there is. */
  finish(): void;
  /** Ask to draw what is shown now into a canvas; false when there is no picture. */
  copyTo(canvas: HTMLCanvasElement): boolean;
  destroy(): void;
}

const mseType = (codec: string) => `video/mp4; codecs="${codec}"`;

export type DecoderPreference = 'auto' | 'webcodecs' | 'mse';

export function hasWebCodecs(): boolean {
  return typeof VideoDecoder === 'function' && typeof EncodedVideoChunk === 'function';
}

export function canPlayByMse(codec: string): boolean {
  return typeof MediaSource === 'function' && MediaSource.isTypeSupported(mseType(codec));
}

export function mimeOf(codec: string): string {
  return mseType(codec);
}

/** What the server calls MJPEG; neither WebCodecs nor Media Source takes it. */
export const JPEG_CODEC = 'mp4v.6C';

const verdicts = new Map<string, DecoderKind | null>();

async function judge(codec: string, preference: DecoderPreference): Promise<DecoderKind | null> {
  if (codec === JPEG_CODEC) return typeof createImageBitmap === 'function' ? 'images' : null;
  if (preference !== 'mse' && hasWebCodecs()) {
    try {
      const answer = await VideoDecoder.isConfigSupported({ codec, optimizeForLatency: true });
      if (answer.supported) return 'webcodecs';
    } catch {
      // a codec string the browser does not even parse: Media Source is asked next
    }
  }
  return preference !== 'webcodecs' && canPlayByMse(codec) ? 'mse' : null;
}

/** How this browser can show the codec, or null; remembered, so that later answers come at once. */
export function chooseDecoder(
  codec: string,
  preference: DecoderPreference,
): DecoderKind | null | Promise<DecoderKind | null> {
  const key = `${preference} ${codec}`;
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  return judge(codec, preference).then((verdict) => {
    verdicts.set(key, verdict);
    return verdict;
  });
}
