// The server's side of the wall protocol, as docs/wall-protocol.md says it, over looped clips.
import { WebSocketServer } from 'ws';
import { shifted, TIMESCALE } from './media.mjs';

const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const AHEAD_MS = 3000;

function header({ kind, flags, tile, gen, wallUs, pts, offset, duration }) {
  const out = Buffer.alloc(32);
  out.writeUInt8(kind, 0);
  out.writeUInt8(flags, 1);
  out.writeUInt16BE(tile, 2);
  out.writeUInt32BE(gen, 4);
  out.writeBigUInt64BE(BigInt(Math.round(wallUs)), 8);
  out.writeBigInt64BE(BigInt(Math.round(pts)), 16);
  out.writeUInt32BE(offset, 24);
  out.writeUInt32BE(duration, 28);
  return out;
}

/** One subscription. The clip's frame n of loop l stands for the wall clock (l * frames + n) * frame time. */
class Tile {
  constructor(link, message, camera, clip, stream) {
    Object.assign(this, { link, camera, clip, stream, tile: message.tile });
    this.frameMs = (clip.total / clip.frames.length / TIMESCALE) * 1000;
    this.isVisible = true;
    this.begin(message.gen, message.at, message.speed ?? 1, message.paused ?? false);
  }

  get isUp() {
    return this.camera.state().advancing;
  }

  begin(gen, at, speed, paused) {
    this.gen = gen;
    this.isLive = at === undefined || at === 'live';
    Object.assign(this, { speed, paused });
    this.next = Math.floor((this.isLive ? Date.now() : Date.parse(at)) / this.frameMs);
    this.target = this.next;
    const { length } = this.clip.frames;
    while (!this.clip.frames[this.next % length].isKey) this.next -= 1;
    this.startedMs = Date.now();
    this.startedWallMs = this.next * this.frameMs;
    this.isOver = false;
    const { tile, stream, clip } = this;
    const mode = this.isLive ? 'live' : 'recorded';
    this.say({ type: 'subscribed', camera: this.camera.id, stream, mode });
    this.say({
      type: 'format',
      codec: clip.codec,
      codec_string: clip.codecString,
      width: clip.width,
      height: clip.height,
      audio: null,
    });
    const init = { kind: 1, flags: 0, tile, gen, wallUs: 0, pts: 0, offset: 0, duration: 0 };
    this.link.send(Buffer.concat([header(init), clip.init]));
    if (this.isLive) this.sayState();
  }

  say(message) {
    this.link.send(JSON.stringify({ tile: this.tile, gen: this.gen, ...message }));
  }

  sayState() {
    const { advancing, cause, detail, retry_s } = this.camera.state();
    this.say({ type: 'state', advancing, cause, detail, retry_s });
  }

  sendOne() {
    const { length } = this.clip.frames;
    const { piece, pts, frame } = shifted(
      this.clip,
      this.next % length,
      Math.floor(this.next / length),
    );
    const flags = (frame.isKey ? 1 : 0) | (this.isLive ? 0 : 8);
    const decodeUs =
      ((frame.decodeTime + Math.floor(this.next / length) * this.clip.total) * 1e6) / TIMESCALE;
    const wallUs = this.next * this.frameMs * 1000 + (pts * 1e6) / TIMESCALE - decodeUs;
    const { tile, gen } = this;
    const head = header({
      kind: 2,
      flags,
      tile,
      gen,
      wallUs,
      pts,
      offset: frame.offset,
      duration: 0,
    });
    this.link.send(Buffer.concat([head, piece]));
    this.next += 1;
  }

  pump(now) {
    if (!this.isVisible) return;
    if (this.isLive) {
      if (!this.isUp) {
        this.next = Math.floor(now / this.frameMs);
        this.needsKey = true;
        return;
      }
      if (this.needsKey) {
        const { length } = this.clip.frames;
        while (!this.clip.frames[this.next % length].isKey) this.next -= 1;
        this.needsKey = false;
      }
      while (this.next * this.frameMs <= now) this.sendOne();
      return;
    }
    const cursor = this.paused
      ? this.target * this.frameMs
      : this.startedWallMs + (now - this.startedMs) * this.speed + AHEAD_MS;
    while (this.next * this.frameMs <= cursor && !this.isOver) {
      if (this.next * this.frameMs > now - 1000) {
        this.isOver = true;
        this.say({ type: 'end', at: new Date(this.next * this.frameMs).toISOString() });
        return;
      }
      const isKey = this.clip.frames[this.next % this.clip.frames.length].isKey;
      if (this.speed > 4 && !isKey) this.next += 1;
      else this.sendOne();
    }
  }

  setSpeed(speed, paused) {
    this.speed = speed;
    this.paused = paused;
    this.target = this.next;
    this.startedMs = Date.now();
    this.startedWallMs = this.next * this.frameMs;
  }
}

export function attachWall(server, cameraOf) {
  const wss = new WebSocketServer({ noServer: true, handleProtocols: () => 'rookery.wall.1' });
  const links = new Set();
  server.on('upgrade', (request, socket, head) => {
    if (!request.url.startsWith('/api/v1/wall')) return socket.destroy();
    wss.handleUpgrade(request, socket, head, (link) => open(link));
  });

  function open(link) {
    const tiles = new Map();
    links.add(tiles);
    link.on('close', () => links.delete(tiles));
    link.on('message', (data) => receive(link, tiles, JSON.parse(data.toString())));
    const hello = { type: 'hello', protocol: 'rookery.wall.1', max_tiles: 100 };
    link.send(JSON.stringify({ ...hello, server_time: new Date().toISOString() }));
  }

  function receive(link, tiles, message) {
    const tile = tiles.get(message.tile);
    switch (message.type) {
      case 'subscribe':
        return subscribe(link, tiles, message);
      case 'seek':
        return tile?.begin(message.gen, message.at, tile.speed, tile.paused);
      case 'speed':
        return SPEEDS.includes(message.speed) && tile?.setSpeed(message.speed, message.paused);
      case 'step':
        return tile?.sendOne();
      case 'unsubscribe':
        return tiles.delete(message.tile);
      case 'layout':
        for (const [n, one] of tiles) one.isVisible = message.visible.includes(n);
        return;
      case 'ping':
        return link.send(JSON.stringify({ type: 'pong', t: message.t }));
    }
  }

  function subscribe(link, tiles, message) {
    const { tile, gen } = message;
    const camera = cameraOf(message.camera);
    if (!camera) {
      const error = { type: 'error', tile, gen, code: 'not_found', detail: 'no such camera' };
      return link.send(JSON.stringify(error));
    }
    const wish = message.stream === 'auto' ? (camera.clips.sub ? 'sub' : 'main') : message.stream;
    const clip = camera.clips[wish];
    if (!clip) {
      const error = { type: 'error', tile, gen, code: 'not_found', detail: 'no such stream' };
      return link.send(JSON.stringify(error));
    }
    tiles.set(tile, new Tile(link, message, camera, clip, wish));
  }

  setInterval(() => {
    const now = Date.now();
    for (const tiles of links) for (const tile of tiles.values()) tile.pump(now);
  }, 20);

  return {
    stateChanged(id) {
      for (const tiles of links)
        for (const tile of tiles.values())
          if (tile.camera.id === id && tile.isLive) tile.sayState();
    },
  };
}
