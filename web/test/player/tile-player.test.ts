import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TilePlayer } from '@/player/tile-player';
import { WallClient } from '@/player/wall-client';
import { FakeSocket } from './fake-socket';

let socket: FakeSocket;
let wall: WallClient;
let player: TilePlayer;

const genNow = () => {
  const subscriptions = socket.of('subscribe');
  return subscriptions[subscriptions.length - 1]?.gen as number;
};
const say = (type: string, fields: Record<string, unknown>) =>
  socket.say({ type, tile: 0, gen: genNow(), ...fields });

function wait(ms: number) {
  for (let passed = 0; passed < ms; passed += 250) {
    vi.advanceTimersByTime(250);
    player.tick();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  socket = new FakeSocket();
  wall = new WallClient({ url: 'ws://wall', open: () => socket });
  wall.connect();
  socket.hello(1_000_000);
  player = new TilePlayer({ wall, tile: 0, snapshotUrl: () => '/snapshot.jpg' });
  const image = () => ({ classList: { add: vi.fn() }, remove: vi.fn(), set src(_url: string) {} });
  vi.stubGlobal('document', { createElement: image });
  vi.stubGlobal('Image', function () {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('tile player', () => {
  it('waits as long as the camera is only connecting', () => {
    player.show({ camera: 'cam-001', stream: 'auto' });
    say('state', { advancing: false, cause: 'connecting', detail: '', retry_s: null });
    wait(5000);
    expect(player.info.status).toBe('connecting');
  });

  it('says within two seconds why there is no picture, and when the next try is', () => {
    player.show({ camera: 'cam-001', stream: 'auto' });
    say('state', { advancing: false, cause: 'timeout', detail: 'no answer', retry_s: 8 });
    wait(1750);
    expect(player.info.status).toBe('connecting');
    wait(500);
    expect(player.info).toMatchObject({
      status: 'stalled',
      cause: 'timeout',
      retryAtMs: 1_008_000,
    });
  });

  it('does not call a tile stalled that nobody can see', () => {
    player.setVisible(false);
    player.show({ camera: 'cam-001', stream: 'auto' });
    say('state', { advancing: false, cause: 'timeout', detail: '', retry_s: 8 });
    wait(6000);
    expect(player.info.status).toBe('connecting');
  });

  it('blames the connection when the server is gone', () => {
    player.show({ camera: 'cam-001', stream: 'auto' });
    socket.drop();
    wait(2500);
    expect(player.info).toMatchObject({ status: 'stalled', isServerLost: true });
  });

  it('asks for the other stream when a codec is beyond the browser, then shows stills', async () => {
    player.show({ camera: 'cam-001', stream: 'main' });
    const format = {
      codec: 'h265',
      codec_string: 'hvc1.1.6.L93',
      width: 1,
      height: 1,
      audio: null,
    };
    say('subscribed', { camera: 'cam-001', stream: 'main', mode: 'live' });
    say('format', format);
    await vi.waitFor(() => expect(socket.of('subscribe')).toHaveLength(2));
    expect(socket.of('subscribe')[1]).toMatchObject({ stream: 'sub' });
    say('error', { code: 'not_found', detail: 'the camera has no sub stream' });
    expect(player.info).toMatchObject({ status: 'snapshot', undecodable: 'h265' });
    expect(socket.of('unsubscribe')).toHaveLength(1);
  });

  it('keeps what the server refused as an error with its reason', () => {
    player.show({ camera: 'gone', stream: 'auto' });
    say('error', { code: 'not_found', detail: 'no such camera' });
    expect(player.info).toMatchObject({ status: 'error', errorCode: 'not_found' });
    wait(5000);
    expect(player.info.status).toBe('error');
  });

  it('steps back by asking for the picture before', () => {
    player.show({ camera: 'cam-001', stream: 'main', atMs: 10_000, paused: true });
    say('subscribed', { camera: 'cam-001', stream: 'main', mode: 'recorded' });
    const decoder = { setMode: vi.fn() };
    Object.assign(player, { decoder });
    player.seek(9_040.7, 'before');
    const [asked] = socket.of('seek');
    expect(asked).toMatchObject({ at: '1970-01-01T00:00:09.040Z', pick: 'before' });
    socket.say({ type: 'picked', tile: 0, gen: asked?.gen, at: '1970-01-01T00:00:09.000Z' });
    // not a picture earlier than the one that was picked, however fast they follow each other
    expect(decoder.setMode).toHaveBeenLastCalledWith(
      expect.objectContaining({ fromUs: 9_000_000, paused: true }),
    );
    player.seek(8_000);
    expect(socket.of('seek')[1]).not.toHaveProperty('pick');
    expect(decoder.setMode).toHaveBeenLastCalledWith(
      expect.objectContaining({ fromUs: 7_980_000 }),
    );
  });

  it('forgets everything when cleared', () => {
    player.show({ camera: 'cam-001', stream: 'auto' });
    player.clear();
    expect(player.info).toMatchObject({ status: 'empty', camera: null });
    expect(socket.of('unsubscribe')).toHaveLength(1);
  });
});
