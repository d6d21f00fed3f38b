// One WebSocket for all tiles of a page: subscribes, routes what arrives, reconnects and subscribes again.

import { HEADER_BYTES, parseMediaHeader, type MediaHeader } from './media-header';
import { parseServerMessage, type Pick, type StreamChoice, type TileMessage } from './messages';

export interface Subscription {
  camera: string;
  stream: StreamChoice;
  /** Milliseconds since 1970 for recorded pictures; absent = live. */
  atMs?: number;
  speed?: number;
  paused?: boolean;
  /** With sound. */
  audio?: boolean;
}

/** What a tile hears. Nothing of an older generation ever arrives. */
export interface TileListener {
  message(message: TileMessage): void;
  media(header: MediaHeader, piece: Uint8Array): void;
  /** After a reconnect: what to ask for now (a recorded tile has moved since). Null = nothing. */
  resume(): Subscription | null;
}

export type WallStatus = 'closed' | 'connecting' | 'open' | 'waiting';

/** The part of WebSocket that is used, so that tests can stand in for it. */
export interface Socket {
  binaryType: string;
  onopen: ((event: Event) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: Event) => void) | null;
  send(data: string): void;
  close(): void;
}

export interface WallClientOptions {
  url: string;
  open?: (url: string, protocol: string) => Socket;
  now?: () => number;
}

export const WALL_PROTOCOL = 'rookery.wall.1';
const RETRY_MS = [500, 1000, 2000, 4000, 5000];
const PING_MS = 5000;
const SILENCE_MS = 20000;

interface TileEntry {
  listener: TileListener;
  generation: number;
}

export class WallClient {
  status: WallStatus = 'closed';
  /** Server clock minus ours, milliseconds. */
  serverOffsetMs = 0;
  maxTiles = 100;
  bytesReceived = 0;
  /** When the next connection attempt is due (our clock, ms); 0 = none planned. */
  retryAtMs = 0;
  roundTripMs = 0;
  onStatus: (status: WallStatus) => void = () => undefined;

  private socket: Socket | null = null;
  private readonly tiles = new Map<number, TileEntry>();
  private generation = 0;
  private attempts = 0;
  private heardAtMs = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private pingTimer: ReturnType<typeof setInterval> | null = null;
  private lastLayout: { visible: number[]; large: number | null } | null = null;
  private readonly openSocket: (url: string, protocol: string) => Socket;
  private readonly now: () => number;

  constructor(private readonly options: WallClientOptions) {
    this.openSocket = options.open ?? ((url, protocol) => new WebSocket(url, protocol));
    this.now = options.now ?? (() => Date.now());
  }

  connect(): void {
    if (this.status !== 'closed') return;
    this.attempts = 0;
    this.dial();
  }

  close(): void {
    this.setStatus('closed');
    this.dropSocket();
    if (this.retryTimer) clearTimeout(this.retryTimer);
    this.retryTimer = null;
    this.retryAtMs = 0;
  }

  /** Puts a camera on a tile, replacing what it showed. Returns the generation media will carry. */
  subscribe(tile: number, subscription: Subscription, listener: TileListener): number {
    const generation = ++this.generation;
    this.tiles.set(tile, { listener, generation });
    this.sendSubscribe(tile, generation, subscription);
    return generation;
  }

  /** Moves a recorded tile. Returns the new generation. */
  seek(tile: number, atMs: number | 'live', pick: Pick = 'at'): number {
    const entry = this.tiles.get(tile);
    if (!entry) return 0;
    entry.generation = ++this.generation;
    const at = atMs === 'live' ? 'live' : new Date(atMs).toISOString();
    const more = pick === 'at' ? {} : { pick };
    this.send({ type: 'seek', tile, gen: entry.generation, at, ...more });
    return entry.generation;
  }

  speed(tile: number, speed: number, paused: boolean): void {
    this.send({ type: 'speed', tile, speed, paused });
  }

  step(tile: number): void {
    this.send({ type: 'step', tile });
  }

  unsubscribe(tile: number): void {
    if (this.tiles.delete(tile)) this.send({ type: 'unsubscribe', tile });
  }

  layout(visible: number[], large: number | null): void {
    this.lastLayout = { visible, large };
    this.sendLayout();
  }

  private dial(): void {
    this.setStatus('connecting');
    this.retryAtMs = 0;
    let socket: Socket;
    try {
      socket = this.openSocket(this.options.url, WALL_PROTOCOL);
    } catch {
      this.scheduleRetry();
      return;
    }
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (event) => this.receive(event.data);
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.dropSocket();
      if (this.status !== 'closed') this.scheduleRetry();
    };
    socket.onerror = () => undefined;
    this.socket = socket;
    this.heardAtMs = this.now();
    this.pingTimer = setInterval(() => this.ping(), PING_MS);
  }

  private dropSocket(): void {
    if (this.pingTimer) clearInterval(this.pingTimer);
    this.pingTimer = null;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private scheduleRetry(): void {
    const delay = RETRY_MS[Math.min(this.attempts, RETRY_MS.length - 1)] ?? 5000;
    this.attempts += 1;
    this.retryAtMs = this.now() + delay;
    this.setStatus('waiting');
    this.retryTimer = setTimeout(() => this.dial(), delay);
  }

  private ping(): void {
    if (this.now() - this.heardAtMs > SILENCE_MS) {
      this.dropSocket();
      this.scheduleRetry();
      return;
    }
    if (this.status === 'open') this.send({ type: 'ping', t: this.now() });
  }

  private receive(data: unknown): void {
    this.heardAtMs = this.now();
    if (data instanceof ArrayBuffer) {
      this.receiveMedia(data);
      return;
    }
    if (typeof data !== 'string') return;
    const message = parseServerMessage(data);
    if (!message) return;
    if (message.type === 'hello') {
      this.greet(message.server_time, message.max_tiles);
    } else if (message.type === 'pong') {
      this.roundTripMs = this.now() - message.t;
    } else if (message.tile !== undefined) {
      const entry = this.tiles.get(message.tile);
      const isCurrent = message.gen === undefined || message.gen === entry?.generation;
      if (entry && isCurrent) entry.listener.message(message);
    }
  }

  private receiveMedia(data: ArrayBuffer): void {
    this.bytesReceived += data.byteLength;
    const header = parseMediaHeader(data);
    if (!header) return;
    const entry = this.tiles.get(header.tile);
    if (entry?.generation !== header.generation) return;
    entry.listener.media(header, new Uint8Array(data, HEADER_BYTES));
  }

  private greet(serverTime: string, maxTiles: number): void {
    this.attempts = 0;
    const serverMs = Date.parse(serverTime);
    if (Number.isFinite(serverMs)) this.serverOffsetMs = serverMs - this.now();
    if (maxTiles > 0) this.maxTiles = maxTiles;
    this.setStatus('open');
    for (const [tile, entry] of this.tiles) {
      const subscription = entry.listener.resume();
      if (!subscription) continue;
      entry.generation = ++this.generation;
      this.sendSubscribe(tile, entry.generation, subscription);
    }
    this.sendLayout();
  }

  private sendSubscribe(tile: number, gen: number, subscription: Subscription): void {
    const { camera, stream, atMs, speed, paused, audio } = subscription;
    const recorded =
      atMs === undefined
        ? {}
        : { at: new Date(atMs).toISOString(), speed: speed ?? 1, paused: paused ?? false };
    this.send({ type: 'subscribe', tile, gen, camera, stream, audio: audio ?? false, ...recorded });
  }

  private sendLayout(): void {
    if (!this.lastLayout) return;
    const { visible, large } = this.lastLayout;
    this.send({ type: 'layout', visible, ...(large === null ? {} : { large }) });
  }

  /** Before `hello` nothing is sent: greet() says everything again. */
  private send(message: Record<string, unknown>): void {
    if (this.status === 'open') this.socket?.send(JSON.stringify(message));
  }

  private setStatus(status: WallStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.onStatus(status);
  }
}
