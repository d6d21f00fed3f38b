import { HEADER_BYTES } from '@/player/media-header';
import type { Socket } from '@/player/wall-client';

/** The other end of the wall protocol, in the hands of the test. */
export class FakeSocket implements Socket {
  binaryType = '';
  onopen: Socket['onopen'] = null;
  onclose: Socket['onclose'] = null;
  onmessage: Socket['onmessage'] = null;
  onerror: Socket['onerror'] = null;
  readonly sent: Record<string, unknown>[] = [];
  isClosed = false;

  send(data: string): void {
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }

  close(): void {
    this.isClosed = true;
  }

  of(type: string): Record<string, unknown>[] {
    return this.sent.filter((message) => message.type === type);
  }

  say(message: Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }

  hello(serverMs = 0): void {
    const server_time = new Date(serverMs).toISOString();
    this.say({ type: 'hello', protocol: 'rookery.wall.1', server_time, max_tiles: 100 });
  }

  media(tile: number, gen: number, kind = 2): void {
    const data = new ArrayBuffer(HEADER_BYTES + 8);
    const view = new DataView(data);
    view.setUint8(0, kind);
    view.setUint16(2, tile);
    view.setUint32(4, gen);
    this.onmessage?.({ data } as MessageEvent);
  }

  drop(): void {
    this.onclose?.({} as CloseEvent);
  }
}
