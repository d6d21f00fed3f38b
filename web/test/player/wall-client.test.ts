import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WallClient, type Subscription, type TileListener } from '@/player/wall-client';
import { FakeSocket } from './fake-socket';

let sockets: FakeSocket[] = [];
const newest = () => sockets[sockets.length - 1] as FakeSocket;

function client(): WallClient {
  return new WallClient({
    url: 'ws://wall',
    open: () => {
      sockets.push(new FakeSocket());
      return newest();
    },
  });
}

function listener(resume: Subscription | null = null) {
  return {
    message: vi.fn<TileListener['message']>(),
    media: vi.fn<TileListener['media']>(),
    resume: () => resume,
  };
}

const live: Subscription = { camera: 'cam-001', stream: 'auto' };

beforeEach(() => {
  sockets = [];
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('wall client', () => {
  it('says nothing before hello, then learns the clock and subscribes', () => {
    const wall = client();
    wall.connect();
    wall.subscribe(3, live, listener(live));
    expect(newest().sent).toEqual([]);
    newest().hello(1_002_500);
    expect(wall.serverOffsetMs).toBe(2500);
    expect(newest().of('subscribe')).toMatchObject([
      { tile: 3, camera: 'cam-001', stream: 'auto' },
    ]);
  });

  it('throws away media and messages of an older generation', () => {
    const wall = client();
    wall.connect();
    newest().hello();
    const tile = listener(live);
    const old = wall.subscribe(3, live, tile);
    const gen = wall.subscribe(3, live, tile);
    newest().media(3, old);
    newest().say({ type: 'state', tile: 3, gen: old, advancing: true, cause: 'ok' });
    expect(tile.media).not.toHaveBeenCalled();
    expect(tile.message).not.toHaveBeenCalled();
    newest().media(3, gen);
    expect(tile.media).toHaveBeenCalledOnce();
  });

  it('raises the generation with a seek', () => {
    const wall = client();
    wall.connect();
    newest().hello();
    const tile = listener(live);
    const gen = wall.subscribe(3, { ...live, atMs: 5000 }, tile);
    const next = wall.seek(3, 60_000);
    expect(next).toBeGreaterThan(gen);
    expect(newest().of('seek')).toEqual([
      { type: 'seek', tile: 3, gen: next, at: '1970-01-01T00:01:00.000Z' },
    ]);
  });

  it('reconnects after 0.5, 1, 2, 4 and then every 5 seconds', () => {
    const wall = client();
    wall.connect();
    for (const wait of [500, 1000, 2000, 4000, 5000, 5000]) {
      const before = sockets.length;
      newest().drop();
      vi.advanceTimersByTime(wait - 1);
      expect(sockets.length).toBe(before);
      vi.advanceTimersByTime(1);
      expect(sockets.length).toBe(before + 1);
    }
  });

  it('subscribes again after a reconnect, where the tile is by then, and repeats the layout', () => {
    const wall = client();
    wall.connect();
    newest().hello();
    const resume = { camera: 'cam-001', stream: 'main', atMs: 90_000, speed: 2 } as const;
    wall.subscribe(3, live, listener(resume));
    wall.layout([3], null);
    newest().drop();
    vi.advanceTimersByTime(500);
    newest().hello();
    expect(newest().of('subscribe')).toMatchObject([
      { tile: 3, stream: 'main', at: '1970-01-01T00:01:30.000Z', speed: 2, paused: false },
    ]);
    expect(newest().of('layout')).toEqual([{ type: 'layout', visible: [3] }]);
  });

  it('gives up a connection that has gone silent', () => {
    const wall = client();
    wall.connect();
    newest().hello();
    vi.advanceTimersByTime(30_000);
    expect(sockets[0]?.isClosed).toBe(true);
    expect(sockets.length).toBeGreaterThan(1);
  });

  it('stays closed when told to close', () => {
    const wall = client();
    wall.connect();
    newest().hello();
    wall.close();
    vi.advanceTimersByTime(60_000);
    expect(sockets.length).toBe(1);
    expect(wall.status).toBe('closed');
  });
});
