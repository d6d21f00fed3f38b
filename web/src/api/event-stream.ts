// Server-sent events: states, motion, volumes, the catalogue, and the word that the district changed. The browser reconnects by itself.

import { apiUrl, learnServerTime, refusalOf, type ApiError } from './client';
import type { CameraState, CatalogueHealth, Event as MotionEvent, Storage } from './schema';

/** What an event tells of a volume: all but what the catalogue knows. */
export type VolumeNews = Omit<Storage['volumes'][number], 'segments' | 'bytes'>;

export interface EventStreamHandlers {
  state(state: CameraState): void;
  motion(event: MotionEvent): void;
  /** The state of a volume changed; comes to those who may manage the system. */
  volume(volume: VolumeNews): void;
  /** Whether the catalogue can be written and read changed; comes to the same. */
  catalogue(health: CatalogueHealth): void;
  /** The district changed, or events may have been missed: load everything again. */
  config(): void;
  /** false while there is no connection; why, when the server refuses it. */
  connected(isConnected: boolean, refusal?: ApiError | null): void;
}

const PATH = '/events/stream';
const RETRY_MS = 3000;

export class EventStream {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private hasBeenOpen = false;

  constructor(private readonly handlers: EventStreamHandlers) {}

  open(): void {
    const source = new EventSource(apiUrl(PATH));
    this.source = source;
    const on = <T>(name: string, handle: (data: T) => void) => {
      source.addEventListener(name, (event) => {
        try {
          handle(JSON.parse(event.data as string) as T);
        } catch {
          // one unreadable event is not worth the stream
        }
      });
    };
    on<{ server_time?: string }>('hello', ({ server_time }) => {
      if (server_time) learnServerTime(Date.parse(server_time));
      this.handlers.connected(true);
      if (this.hasBeenOpen) this.handlers.config();
      this.hasBeenOpen = true;
    });
    on<CameraState>('state', this.handlers.state);
    on<MotionEvent>('motion', this.handlers.motion);
    on<VolumeNews>('volume', this.handlers.volume);
    on<CatalogueHealth>('catalogue', this.handlers.catalogue);
    on('config', () => this.handlers.config());
    source.onerror = () => {
      this.handlers.connected(false);
      if (source.readyState !== EventSource.CLOSED) return;
      this.timer = setTimeout(() => this.open(), RETRY_MS);
      void this.explain(source);
    };
  }

  /** An EventSource does not say why it was refused; asking once more does, and ends a lost session. */
  private async explain(source: EventSource): Promise<void> {
    const refusal = await refusalOf(PATH);
    if (this.source === source && refusal) this.handlers.connected(false, refusal);
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
