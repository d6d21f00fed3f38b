// The 32-byte header before every binary message of the wall protocol (docs/wall-protocol.md).

export const HEADER_BYTES = 32;

export const enum PieceKind {
  init = 1,
  media = 2,
}

export interface MediaHeader {
  readonly kind: PieceKind;
  readonly isKey: boolean;
  readonly isAudio: boolean;
  readonly isDiscontinuity: boolean;
  readonly isRecorded: boolean;
  readonly tile: number;
  readonly generation: number;
  /** Wall clock of the picture, microseconds since 1970 UTC. */
  readonly wallUs: number;
  /** Presentation time in ticks of the track's timescale. */
  readonly pts: number;
  /** Where the access unit begins within the piece. */
  readonly offset: number;
  /** Ticks; 0 when not known yet. */
  readonly duration: number;
}

/** Returns null for anything that is not a header we understand; the caller drops it. */
export function parseMediaHeader(message: ArrayBuffer): MediaHeader | null {
  if (message.byteLength < HEADER_BYTES) return null;
  const view = new DataView(message);
  const kind = view.getUint8(0);
  if (kind !== PieceKind.init && kind !== PieceKind.media) return null;
  const flags = view.getUint8(1);
  const offset = view.getUint32(24);
  if (offset > message.byteLength - HEADER_BYTES) return null;
  return {
    kind,
    isKey: (flags & 1) !== 0,
    isAudio: (flags & 2) !== 0,
    isDiscontinuity: (flags & 4) !== 0,
    isRecorded: (flags & 8) !== 0,
    tile: view.getUint16(2),
    generation: view.getUint32(4),
    wallUs: Number(view.getBigUint64(8)),
    pts: Number(view.getBigInt64(16)),
    offset,
    duration: view.getUint32(28),
  };
}
