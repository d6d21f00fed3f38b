import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseInit, parseSound, withoutSound } from '@/player/mp4';
import { decodePlain } from '@/player/plain-sound';
import { SoundPlan } from '@/player/sound-plan';
import { openSound, type SoundEvents, type SoundOutput } from '@/player/sound';
import { TilePlayer } from '@/player/tile-player';
import { WallClient } from '@/player/wall-client';
import { FakeSocket } from './fake-socket';

const load = (name: string) =>
  new Uint8Array(
    Buffer.from(readFileSync(new URL(`./${name}.b64`, import.meta.url), 'utf8'), 'base64'),
  );

describe('sound of an init segment', () => {
  it('is AAC with its configuration', () => {
    expect(parseSound(load('init-h264-aac'))).toEqual({
      codec: 'aac',
      codecString: 'mp4a.40.2',
      sampleRate: 16000,
      channels: 1,
      description: new Uint8Array([0x14, 0x08]),
    });
  });

  it('is G.711', () => {
    expect(parseSound(load('init-h265-alaw'))).toMatchObject({
      codec: 'alaw',
      sampleRate: 8000,
      channels: 1,
    });
    expect(parseSound(load('init-h264'))).toBeNull();
  });

  it('is 16-bit samples, in the order that the entry tells', () => {
    for (const codec of ['twos', 'sowt'] as const) {
      const init = load('init-h265-alaw');
      init.set(Buffer.from(codec), Buffer.from(init).indexOf('alaw'));
      expect(parseSound(init)).toMatchObject({ codec, codecString: codec, channels: 1 });
      expect(parseSound(withoutSound(init))).toBeNull();
    }
  });

  it('is taken out for Media Source, and the pictures stay', () => {
    for (const name of ['init-h264-aac', 'init-h265-alaw']) {
      const whole = load(name);
      const silent = withoutSound(whole);
      expect(silent.length).toBe(whole.length);
      expect(parseSound(silent)).toBeNull();
      expect(parseInit(silent)).toEqual(parseInit(whole));
      const text = Buffer.from(silent).toString('latin1');
      expect(text.split('trex').length).toBe(2);
    }
    const silent = load('init-h264');
    expect(withoutSound(silent)).toBe(silent);
  });
});

describe('G.711', () => {
  it('decodes the values of the standard', () => {
    const at = (law: 'alaw' | 'ulaw', byte: number) =>
      (decodePlain(law, new Uint8Array([byte]), 1)[0]?.[0] ?? 0) * 32768;
    expect([0xd5, 0x55, 0xaa, 0x2a, 0x80].map((b) => at('alaw', b))).toEqual([
      8, -8, 32256, -32256, 5504,
    ]);
    expect([0xff, 0x7f, 0x80, 0x00].map((b) => at('ulaw', b) + 0)).toEqual([0, 0, 32124, -32124]);
  });

  it('parts channels', () => {
    const [left, right] = decodePlain('alaw', new Uint8Array([0xd5, 0x55, 0xd5, 0x55]), 2);
    expect(left?.length).toBe(2);
    expect((left?.[1] ?? 0) * 32768).toBe(8);
    expect((right?.[1] ?? 0) * 32768).toBe(-8);
  });
});

describe('16-bit samples', () => {
  const at = (codec: 'twos' | 'sowt', bytes: number[], channels = 1) =>
    decodePlain(codec, new Uint8Array(bytes), channels).map((samples) =>
      Array.from(samples, (sample) => sample * 32768),
    );

  it('have the upper byte first, or the lower', () => {
    const bytes = [0x01, 0x02, 0x7f, 0xff, 0x80, 0x00, 0xff, 0xfe];
    expect(at('twos', bytes)).toEqual([[0x102, 32767, -32768, -2]]);
    expect(at('sowt', bytes)).toEqual([[0x201, -129, 128, -257]]);
  });

  it('are parted into channels, and a torn one is left out', () => {
    expect(at('twos', [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0], 2)).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect(at('sowt', [1, 0, 2], 1)).toEqual([[1]]);
    expect(at('sowt', [], 2)).toEqual([[], []]);
  });

  it('lie anywhere in a message', () => {
    const message = new Uint8Array([9, 9, 9, 0x12, 0x34]);
    expect(decodePlain('twos', message.subarray(3), 1)[0]?.[0]).toBe(0x1234 / 32768);
  });
});

describe('the plan of sound', () => {
  const place = (plan: SoundPlan, wallS: number, nowS: number) =>
    plan.place(wallS * 1e6, 0.02, nowS);

  it('waits for a picture', () => {
    expect(place(new SoundPlan(), 100, 1)).toBeNull();
  });

  it('follows without a seam, within 100 ms of the picture', () => {
    const plan = new SoundPlan();
    let end = 0;
    for (let i = 0; i < 500; i++) {
      const now = 10 + i * 0.02;
      const wall = 100 + i * 0.0201; // the camera's sound runs half a percent fast
      plan.shown(100e6 + i * 20000 + (i % 7) * 4000, now + (i % 7) * 0.004);
      const at = place(plan, wall, now);
      if (at === null) continue;
      expect(at).toBeGreaterThanOrEqual(end - 1e-9);
      expect(Math.abs(at - (10 + wall - 100))).toBeLessThan(0.125);
      end = at + 0.02;
    }
    expect(end).toBeGreaterThan(19.9);
  });

  it('drops what is late, what is too much, and what has no picture any more', () => {
    const plan = new SoundPlan();
    plan.shown(100e6, 10);
    expect(place(plan, 99.5, 10)).toBeNull();
    let n = 0;
    for (let i = 0; i < 100; i++) if (place(plan, 100, 10) !== null) n++;
    expect(n).toBeLessThan(8);
    expect(place(plan, 103, 13)).toBeNull();
  });

  /** Ten pictures and fifty pieces a second, which all come when a stall of `stallS` each `everyS` lets them. */
  function heardThroughStalls(plan: SoundPlan, fromS: number, stallS: number, everyS = 1): number {
    let heard = 0;
    for (let i = 0; i < 500; i++) {
      const wall = fromS + i * 0.02;
      const into = (i * 0.02) % everyS;
      const now = into < stallS ? wall - into + stallS : wall;
      if (i % 5 === 0) plan.shown(wall * 1e6, now);
      if (place(plan, wall, now) !== null) heard += 0.02;
    }
    return heard;
  }

  it('waits a little longer where pieces come late, and all are heard', () => {
    const plan = new SoundPlan();
    expect(heardThroughStalls(plan, 100, 0.25)).toBeGreaterThan(9.8);
  });

  it('comes nearer to the picture when pieces are in time again', () => {
    const plan = new SoundPlan();
    heardThroughStalls(plan, 100, 0.3);
    expect((place(plan, 110, 110) ?? 0) - 110).toBeGreaterThan(0.2);
    expect(heardThroughStalls(plan, 110.02, 0)).toBeGreaterThan(9.8);
    expect(heardThroughStalls(plan, 120.02, 0)).toBeGreaterThan(9.6);
    expect((place(plan, 130.02, 130.02) ?? 0) - 130.02).toBeLessThan(0.15);
  });

  it('is heard where the camera always sends it late', () => {
    const plan = new SoundPlan();
    let n = 0;
    for (let i = 0; i < 100; i++) {
      const now = 10 + i * 0.02;
      plan.shown((90 + now) * 1e6, now);
      if (place(plan, 90 + now - 0.3, now) !== null) n++;
    }
    expect(n).toBeGreaterThan(98);
  });

  it('places recorded sound ahead', () => {
    const plan = new SoundPlan();
    plan.shown(100e6, 10);
    expect(place(plan, 102.5, 10)).toBeCloseTo(12.54, 3);
  });
});

interface Heard {
  from: number;
  to: number;
  piece: number;
}

/** An audio clock that stands where it is put, and what is played on it. A piece is known by its samples. */
class FakeContext {
  static last: FakeContext;
  currentTime = 0;
  readonly destination = {};
  readonly heard: Heard[] = [];

  constructor() {
    FakeContext.last = this;
  }
  resume = () => Promise.resolve();
  close = () => Promise.resolve();
  createBuffer(_channels: number, frames: number, rate: number) {
    const buffer = {
      duration: frames / rate,
      piece: 0,
      copyToChannel: ([sample]: Float32Array) => (buffer.piece = (sample ?? 0) * 32768),
    };
    return buffer;
  }
  createBufferSource() {
    const heard = { from: 0, to: 0, piece: 0 };
    const node = {
      buffer: { duration: 0, piece: 0 },
      connect: () => undefined,
      start: (from: number) => {
        const { duration, piece } = node.buffer;
        this.heard.push(Object.assign(heard, { from, to: from + duration, piece }));
      },
      stop: () => (heard.to = Math.max(heard.from, Math.min(heard.to, this.currentTime))),
    };
    return node;
  }
}

describe('sound beside the picture', () => {
  const PIECE_S = 0.02;
  let sound: SoundOutput;

  beforeEach(() => {
    vi.stubGlobal('AudioContext', FakeContext);
    const opened = openSound({ heard: () => undefined, failed: (why) => expect(why).toBe('') });
    if (!opened) throw new Error('no sound');
    sound = opened;
    sound.configure({ codec: 'sowt', codecString: 'sowt', sampleRate: 8000, channels: 1 });
  });
  afterEach(() => vi.unstubAllGlobals());

  /** Sound of these seconds; the number of a piece tells its moment. */
  const push = (fromS: number, toS: number) => {
    for (let n = Math.round(fromS / PIECE_S); n < Math.round(toS / PIECE_S); n++)
      sound.push(
        n * PIECE_S * 1e6,
        new Uint8Array(Int16Array.from({ length: 160 }, () => n).buffer),
      );
  };
  /** How long something is heard in this time (twice counts twice), and how far from its moment at most. */
  const heardIn = (leastS: number, mostS: number, momentOf: (wallS: number) => number) => {
    let seconds = 0;
    let away = 0;
    for (const { from, to, piece } of FakeContext.last.heard) {
      const length = Math.min(to, mostS) - Math.max(from, leastS);
      if (length <= 0) continue;
      seconds += length;
      away = Math.max(away, Math.abs(from - momentOf(piece * PIECE_S)));
    }
    return { seconds, away };
  };

  it('is taken back when the pictures catch up', () => {
    const context = FakeContext.last;
    // the group that is running comes at once; its first picture is drawn when it is two seconds old
    context.currentTime = 1;
    sound.picture(98e6);
    push(98, 100);
    for (let i = 0; i < 100; i++) {
      context.currentTime = 1.1 + i * 0.02;
      if (i % 5 === 0) sound.picture((100.1 + i * 0.02) * 1e6);
      push(100.08 + i * 0.02, 100.1 + i * 0.02);
    }
    const { seconds, away } = heardIn(1.2, 3, (wallS) => wallS - 99);
    expect(seconds).toBeCloseTo(1.8, 1);
    expect(away).toBeLessThan(0.1);
  });

  it('that is recorded is placed anew when one picture comes late', () => {
    const context = FakeContext.last;
    context.currentTime = 1;
    sound.picture(100e6);
    push(100, 103);
    context.currentTime = 1.9;
    sound.picture(100.2e6); // the page stood still
    context.currentTime = 2;
    sound.picture(101e6);
    const { seconds, away } = heardIn(2.1, 4, (wallS) => wallS - 99);
    expect(seconds).toBeCloseTo(1.9, 1);
    expect(away).toBeLessThan(0.1);
  });

  it('waits until the clock runs', () => {
    const context = FakeContext.last;
    for (let i = 0; i < 10; i++) {
      sound.picture((100 + i * 0.1) * 1e6);
      push(100 + i * 0.1, 100.1 + i * 0.1);
    }
    expect(context.heard).toEqual([]);
    context.currentTime = 0.01;
    sound.picture(101e6);
    push(101, 101.1);
    const { seconds, away } = heardIn(0, 1, (wallS) => wallS - 100.99);
    expect(seconds).toBeCloseTo(0.1, 1);
    expect(away).toBeLessThan(0.1);
  });
});

describe('a tile with sound', () => {
  let socket: FakeSocket;
  let player: TilePlayer;
  let events: SoundEvents | null;
  const output = {
    configure: vi.fn(),
    push: vi.fn(),
    picture: vi.fn(),
    reset: vi.fn(),
    close: vi.fn(),
  };

  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
    socket = new FakeSocket();
    events = null;
    const wall = new WallClient({ url: 'ws://wall', open: () => socket });
    wall.connect();
    socket.hello(1_000_000);
    const openSound = (heard: SoundEvents) => {
      events = heard;
      return output;
    };
    player = new TilePlayer({ wall, tile: 0, snapshotUrl: () => '', openSound });
    player.show({ camera: 'cam-001', stream: 'main' });
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.clearAllMocks();
  });

  it('is silent until somebody asks, and again after', () => {
    expect(socket.of('subscribe').map(({ audio }) => audio)).toEqual([false]);
    player.setSound(true);
    player.setSound(false);
    expect(socket.of('subscribe').map(({ audio }) => audio)).toEqual([false, true, false]);
    expect(output.close).toHaveBeenCalledTimes(1);
    expect(player.info.sound).toBe('off');
  });

  it('tells whether any is heard', () => {
    player.setSound(true);
    expect(player.info.sound).toBe('waiting');
    vi.advanceTimersByTime(6000);
    player.tick();
    expect(player.info.sound).toBe('none');
    events?.heard();
    expect(player.info.sound).toBe('on');
  });

  it('goes on with pictures when sound fails', () => {
    player.setSound(true);
    const status = player.info.status;
    events?.failed('no decoder');
    expect(player.info).toMatchObject({ sound: 'failed', status, errorCode: '' });
    expect(socket.of('subscribe').length).toBe(2);
  });
});
