// What turns access units into pictures that a canvas can draw: VideoDecoder, or the browser's reader of images
// for cameras that send MJPEG.

export interface AccessUnit {
  /** Microseconds; comes back with the picture. */
  readonly timestamp: number;
  readonly isKey: boolean;
  readonly data: Uint8Array;
}

export interface Picture {
  readonly timestamp: number;
  readonly width: number;
  readonly height: number;
  readonly source: CanvasImageSource;
  close(): void;
}

export interface PictureEvents {
  picture(picture: Picture): void;
  /** A unit gave no picture; the ones behind it will. */
  skipped(): void;
  failed(reason: string): void;
}

export interface PictureDecoder {
  readonly queueSize: number;
  readonly isOpen: boolean;
  /** `isLive`: only the newest unit matters; older ones that still wait may be left out. */
  decode(unit: AccessUnit, isLive: boolean): void;
  /** What is held back for reordering comes out. */
  flush(): void;
  close(): void;
}

/** May throw when the browser does not take the configuration. */
export function openVideoDecoder(
  config: VideoDecoderConfig,
  events: PictureEvents,
): PictureDecoder {
  let isClosed = false;
  const decoder = new VideoDecoder({
    output: (frame) => {
      if (isClosed) {
        frame.close();
        return;
      }
      events.picture({
        timestamp: frame.timestamp,
        width: frame.displayWidth,
        height: frame.displayHeight,
        source: frame,
        close: () => frame.close(),
      });
    },
    error: (error) => {
      if (!isClosed) events.failed(error.message);
    },
  });
  decoder.configure(config);
  return {
    get queueSize() {
      return decoder.decodeQueueSize;
    },
    get isOpen() {
      return !isClosed && decoder.state === 'configured';
    },
    decode: ({ timestamp, isKey, data }) =>
      decoder.decode(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data })),
    flush: () => void decoder.flush().catch(() => undefined),
    close: () => {
      isClosed = true;
      if (decoder.state !== 'closed') decoder.close();
    },
  };
}

/** Images that cannot be read, one behind the other, until the camera is not believed to send any. */
const BAD_MOST = 10;

/** One image at a time, so that pictures come out in order. */
class ImageDecoder implements PictureDecoder {
  private waiting: AccessUnit[] = [];
  private isBusy = false;
  private isClosed = false;
  private bad = 0;

  constructor(private readonly events: PictureEvents) {}

  get queueSize(): number {
    return this.waiting.length + (this.isBusy ? 1 : 0);
  }

  get isOpen(): boolean {
    return !this.isClosed;
  }

  decode(unit: AccessUnit, isLive: boolean): void {
    if (isLive) this.waiting = [];
    this.waiting.push(unit);
    void this.run();
  }

  flush(): void {
    // nothing is held back
  }

  close(): void {
    this.isClosed = true;
    this.waiting = [];
  }

  private async run(): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    for (let unit = this.waiting.shift(); unit && !this.isClosed; unit = this.waiting.shift()) {
      const bitmap = await read(unit.data);
      if (this.isClosed) {
        bitmap?.close();
        break;
      }
      if (bitmap) this.handOut(unit, bitmap);
      else this.leaveOut();
    }
    this.isBusy = false;
    if (this.waiting.length > 0) void this.run();
  }

  private handOut(unit: AccessUnit, bitmap: ImageBitmap): void {
    this.bad = 0;
    this.events.picture({
      timestamp: unit.timestamp,
      width: bitmap.width,
      height: bitmap.height,
      source: bitmap,
      close: () => bitmap.close(),
    });
  }

  private leaveOut(): void {
    this.bad += 1;
    if (this.bad >= BAD_MOST) this.events.failed('the images cannot be read');
    else this.events.skipped();
  }
}

async function read(data: Uint8Array): Promise<ImageBitmap | null> {
  try {
    return await createImageBitmap(new Blob([data as BlobPart], { type: 'image/jpeg' }));
  } catch {
    return null;
  }
}

export function openImageDecoder(events: PictureEvents): PictureDecoder {
  return new ImageDecoder(events);
}
