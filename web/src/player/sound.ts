// The sound of one tile: decoded here (G.711, 16-bit samples) or by WebCodecs (AAC), and played beside the picture.
// Whatever goes wrong with it ends the sound, never the picture.

import type { SoundTrack } from './mp4';
import { decodePlain } from './plain-sound';
import { SoundPlan } from './sound-plan';

export interface SoundEvents {
  heard(): void;
  failed(reason: string): void;
}

/** What a tile needs of it. */
export interface SoundOutput {
  /** The sound of a new init segment; null = it has none. */
  configure(track: SoundTrack | null): void;
  push(wallUs: number, data: Uint8Array): void;
  /** A picture is on the screen. */
  picture(wallUs: number): void;
  /** A seek or a pause: what is on its way is not heard. */
  reset(): void;
  close(): void;
}

/** Pieces waiting for the first picture; recorded sound is at most 3 s ahead. */
const WAITING_MOST = 400;

interface Piece {
  readonly wallUs: number;
  readonly buffer: AudioBuffer;
}

class Sound implements SoundOutput {
  private readonly plan = new SoundPlan();
  private readonly playing = new Map<AudioBufferSourceNode, Piece>();
  private waiting: Piece[] = [];
  private track: SoundTrack | null = null;
  private decoder: AudioDecoder | null = null;
  private isClosed = false;

  constructor(
    private readonly context: AudioContext,
    private readonly events: SoundEvents,
  ) {}

  configure(track: SoundTrack | null): void {
    this.closeDecoder();
    this.track = track;
    if (track?.codec === 'aac') this.guard(() => this.openDecoder(track)); // where there is none, it fails
  }

  push(wallUs: number, data: Uint8Array): void {
    this.guard(() => {
      const { track } = this;
      if (!track) return;
      if (track.codec === 'aac') {
        if (this.decoder?.state === 'configured')
          this.decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: wallUs, data }));
      } else {
        this.take(wallUs, track.sampleRate, decodePlain(track.codec, data, track.channels));
      }
    });
  }

  picture(wallUs: number): void {
    const nowS = this.context.currentTime;
    if (nowS === 0) return; // the clock does not run yet
    if (this.plan.shown(wallUs, nowS - (this.context.outputLatency || 0))) this.takeBack();
    const { waiting } = this;
    this.waiting = [];
    for (const piece of waiting)
      if (!this.plan.isPast(piece.wallUs, nowS)) this.guard(() => this.play(piece));
  }

  reset(): void {
    this.plan.reset();
    this.takeBack();
    this.waiting = [];
  }

  close(): void {
    this.isClosed = true;
    this.reset();
    this.closeDecoder();
    void this.context.close().catch(() => undefined);
  }

  /** What was to be heard waits again for a picture. */
  private takeBack(): void {
    this.waiting.push(...this.playing.values());
    for (const node of this.playing.keys()) node.stop();
    this.playing.clear();
  }

  private openDecoder(track: SoundTrack): void {
    const decoder = new AudioDecoder({
      output: (data) => {
        const channels = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
          const out = new Float32Array(data.numberOfFrames);
          data.copyTo(out, { planeIndex, format: 'f32-planar' });
          return out;
        });
        if (decoder === this.decoder)
          this.guard(() => this.take(data.timestamp, data.sampleRate, channels));
        data.close();
      },
      error: (error) => {
        if (decoder === this.decoder) this.fail(error.message);
      },
    });
    decoder.configure({
      codec: track.codecString,
      sampleRate: track.sampleRate,
      numberOfChannels: track.channels,
      description: track.description,
    });
    this.decoder = decoder;
  }

  private closeDecoder(): void {
    if (this.decoder && this.decoder.state !== 'closed') this.decoder.close();
    this.decoder = null;
  }

  private take(wallUs: number, sampleRate: number, channels: Float32Array[]): void {
    const frames = channels[0]?.length ?? 0;
    if (frames === 0 || this.isClosed) return;
    const buffer = this.context.createBuffer(channels.length, frames, sampleRate);
    channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    if (this.plan.isReady) this.play({ wallUs, buffer });
    else if (this.waiting.length < WAITING_MOST) this.waiting.push({ wallUs, buffer });
  }

  private play(piece: Piece): void {
    const { wallUs, buffer } = piece;
    const at = this.plan.place(wallUs, buffer.duration, this.context.currentTime);
    if (at === null) return;
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.connect(this.context.destination);
    node.onended = () => this.playing.delete(node);
    node.start(at);
    this.playing.set(node, piece);
    this.events.heard();
  }

  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(String(error));
    }
  }

  private fail(reason: string): void {
    this.track = null;
    this.closeDecoder();
    if (!this.isClosed) this.events.failed(reason);
  }
}

/** Null where the browser has no audio output. */
export function openSound(events: SoundEvents): SoundOutput | null {
  if (typeof AudioContext !== 'function') return null;
  const context = new AudioContext();
  void context.resume().catch(() => undefined);
  return new Sound(context, events);
}
