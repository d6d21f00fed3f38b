import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { chooseDecoder, JPEG_CODEC } from '@/player/decoder';
import type { MediaHeader } from '@/player/media-header';
import { PieceKind } from '@/player/media-header';
import { openImageDecoder, type Picture, type PictureEvents } from '@/player/picture-decoders';
import { WebCodecsDecoder } from '@/player/webcodecs-decoder';

/** Images are one byte here: its value is the width; 0 cannot be read. */
interface Job {
  readonly blob: Blob;
  done(): void;
}
let jobs: Job[];
let nOpen: number;

async function finishOne(): Promise<void> {
  await vi.waitFor(() => expect(jobs.length).toBeGreaterThan(0));
  jobs.shift()?.done();
  await settle();
}
const settle = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

beforeEach(() => {
  jobs = [];
  nOpen = 0;
  vi.stubGlobal('createImageBitmap', async (blob: Blob) => {
    const width = new Uint8Array(await blob.arrayBuffer())[0] ?? 0;
    await new Promise<void>((done) => jobs.push({ blob, done }));
    if (width === 0) throw new Error('no image');
    nOpen += 1;
    return { width, height: 9, close: () => (nOpen -= 1) };
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const unit = (n: number, width = n) => ({
  timestamp: n,
  isKey: true,
  data: new Uint8Array([width]),
});

function collect() {
  const seen: number[] = [];
  const events = {
    picture: (picture: Picture) => {
      seen.push(picture.timestamp);
      picture.close();
    },
    skipped: vi.fn(),
    failed: vi.fn(),
  } satisfies PictureEvents;
  return { seen, events };
}

describe('reader of images', () => {
  it('is chosen for MJPEG and for nothing else', async () => {
    expect(await chooseDecoder(JPEG_CODEC, 'auto')).toBe('images');
    expect(await chooseDecoder('avc1.640028', 'auto')).not.toBe('images');
  });

  it('gives every recorded picture in order', async () => {
    const { seen, events } = collect();
    const decoder = openImageDecoder(events);
    for (const n of [1, 2, 3]) decoder.decode(unit(n), false);
    expect(decoder.queueSize).toBe(3);
    for (let i = 0; i < 3; i++) await finishOne();
    expect(seen).toEqual([1, 2, 3]);
    expect(decoder.queueSize).toBe(0);
    expect(nOpen).toBe(0);
  });

  it('leaves out live pictures that wait while a newer one is there', async () => {
    const { seen, events } = collect();
    const decoder = openImageDecoder(events);
    for (const n of [1, 2, 3, 4]) decoder.decode(unit(n), true);
    await finishOne();
    await finishOne();
    expect(seen).toEqual([1, 4]);
    expect(jobs).toHaveLength(0);
  });

  it('goes on behind an image that cannot be read, but not for ever', async () => {
    const { seen, events } = collect();
    const decoder = openImageDecoder(events);
    decoder.decode(unit(1, 0), false);
    decoder.decode(unit(2), false);
    await finishOne();
    await finishOne();
    expect(seen).toEqual([2]);
    expect(events.skipped).toHaveBeenCalledTimes(1);
    for (let n = 0; n < 10; n++) {
      decoder.decode(unit(n, 0), false);
      await finishOne();
    }
    expect(events.failed).toHaveBeenCalledTimes(1);
  });

  it('hands out nothing after it was closed', async () => {
    const { seen, events } = collect();
    const decoder = openImageDecoder(events);
    decoder.decode(unit(1), false);
    decoder.close();
    await finishOne();
    expect(seen).toEqual([]);
    expect(nOpen).toBe(0);
    expect(decoder.isOpen).toBe(false);
  });
});

describe('MJPEG on a canvas', () => {
  let frame: (() => void) | null;
  let now: number;
  let drawn: number[];
  const refresh = async (atMs: number) => {
    now = atMs;
    const due = frame;
    frame = null;
    due?.();
    for (let i = 0; i < 6 && jobs.length > 0; i++) await finishOne();
    await settle();
  };
  const header = (n: number): MediaHeader => ({
    kind: PieceKind.media,
    isKey: true,
    isAudio: false,
    isDiscontinuity: false,
    isRecorded: true,
    tile: 0,
    generation: 1,
    wallUs: 1_000_000 + n * 40_000,
    pts: n * 3600,
    offset: 2,
    duration: 3600,
  });
  const track = { timescale: 90000, width: 16, height: 9, codec: JPEG_CODEC };
  const open = (paused: boolean) => {
    const decoder = new WebCodecsDecoder(
      {
        picture: (wallUs) => drawn.push((wallUs - 1_000_000) / 40_000),
        failed: vi.fn(),
        hungry: vi.fn(),
      },
      'images',
    );
    decoder.setMode({ isLive: false, speed: 1, paused, fromUs: 0, serial: 1 });
    decoder.init({ ...track, description: new Uint8Array() }, new Uint8Array(), JPEG_CODEC);
    return decoder;
  };

  beforeEach(() => {
    frame = null;
    now = 0;
    drawn = [];
    const drawImage = vi.fn();
    vi.stubGlobal('document', {
      createElement: () => ({ getContext: () => ({ drawImage }), remove: vi.fn() }),
    });
    vi.stubGlobal('requestAnimationFrame', (fn: () => void) => {
      frame = fn;
      return 1;
    });
    vi.stubGlobal('cancelAnimationFrame', vi.fn());
    vi.spyOn(performance, 'now').mockImplementation(() => now);
  });

  it('keeps in step with the clock', async () => {
    const decoder = open(false);
    for (let n = 0; n < 4; n++) decoder.push(header(n), new Uint8Array([9, 9, 16]));
    for (let i = 0; i < 4; i++) await refresh(0);
    expect(drawn).toEqual([0]);
    await refresh(20);
    expect(drawn).toEqual([0]);
    await refresh(41);
    expect(drawn).toEqual([0, 1]);
    await refresh(81);
    await refresh(121);
    expect(drawn).toEqual([0, 1, 2, 3]);
    decoder.destroy();
    expect(nOpen).toBe(0);
  });

  it('steps picture by picture while paused', async () => {
    const decoder = open(true);
    for (let n = 0; n < 4; n++) decoder.push(header(n), new Uint8Array([9, 9, 16]));
    for (let i = 0; i < 4; i++) await refresh(i * 100);
    expect(drawn).toEqual([0]);
    decoder.step();
    await refresh(500);
    await refresh(600);
    expect(drawn).toEqual([0, 1]);
    decoder.destroy();
    expect(nOpen).toBe(0);
  });
});
