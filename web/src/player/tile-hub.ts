// The tiles of a page over one connection: hands out tile numbers, ticks them, tells the server what is on screen.

import type { DecoderPreference } from './decoder';
import { TilePlayer, type TileInfo } from './tile-player';
import { WallClient, type WallStatus } from './wall-client';

export interface TileHubOptions {
  url: string;
  preference: DecoderPreference;
  snapshotUrl: (camera: string, atMs: number | null) => string;
}

export interface HubTotals {
  tiles: number;
  playing: number;
  meanDelayS: number | null;
  bitrateBps: number;
}

const TICK_MS = 250;

declare global {
  interface Window {
    /** For tests and for support: what every tile is doing right now. */
    __rookery?: {
      tiles: TileInfo[];
      wall: { status: WallStatus; bytes: number; offsetMs: number };
    };
  }
}

export class TileHub {
  readonly wall: WallClient;
  onTick: (totals: HubTotals) => void = () => undefined;
  onStatus: (status: WallStatus) => void = () => undefined;

  private readonly players = new Map<number, TilePlayer>();
  private timer: ReturnType<typeof setInterval> | null = null;
  private large: number | null = null;

  constructor(private readonly options: TileHubOptions) {
    this.wall = new WallClient({ url: options.url });
    this.wall.onStatus = (status) => this.onStatus(status);
  }

  start(): void {
    this.wall.connect();
    this.timer = setInterval(() => this.tick(), TICK_MS);
    document.addEventListener('visibilitychange', this.visibilityChanged);
    this.expose();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.visibilityChanged);
    for (const player of this.players.values()) player.destroy();
    this.players.clear();
    this.wall.close();
    this.expose();
  }

  create(): TilePlayer {
    let tile = 0;
    while (this.players.has(tile)) tile += 1;
    const player = new TilePlayer({
      wall: this.wall,
      tile,
      preference: this.options.preference,
      snapshotUrl: this.options.snapshotUrl,
    });
    this.players.set(tile, player);
    this.expose();
    this.sendLayout();
    return player;
  }

  remove(player: TilePlayer): void {
    if (this.isLarge(player)) this.large = null;
    player.destroy();
    this.players.delete(player.info.tile);
    this.expose();
    this.sendLayout();
  }

  /** One tile covers the others; they rest until it is small again. */
  enlarge(player: TilePlayer | null): void {
    this.large = player?.info.tile ?? null;
    this.sendLayout();
  }

  isLarge(player: TilePlayer): boolean {
    return this.large === player.info.tile;
  }

  private readonly visibilityChanged = () => this.sendLayout();

  private sendLayout(): void {
    const visible: number[] = [];
    for (const [tile, player] of this.players) {
      const isVisible = !document.hidden && (this.large === null || this.large === tile);
      player.setVisible(isVisible);
      if (isVisible) visible.push(tile);
    }
    this.wall.layout(visible, this.large);
  }

  private tick(): void {
    let delays = 0;
    let delaySum = 0;
    const totals: HubTotals = { tiles: 0, playing: 0, meanDelayS: null, bitrateBps: 0 };
    for (const player of this.players.values()) {
      player.tick();
      const { info } = player;
      if (info.camera) totals.tiles += 1;
      if (info.status === 'playing') totals.playing += 1;
      totals.bitrateBps += info.bitrateBps;
      if (info.delayS !== null) {
        delays += 1;
        delaySum += info.delayS;
      }
    }
    if (delays > 0) totals.meanDelayS = delaySum / delays;
    this.expose();
    this.onTick(totals);
  }

  private expose(): void {
    window.__rookery = {
      tiles: [...this.players.values()].map((player) => player.info),
      wall: {
        status: this.wall.status,
        bytes: this.wall.bytesReceived,
        offsetMs: this.wall.serverOffsetMs,
      },
    };
  }
}
