import { describe, expect, it } from 'vitest';
import { HEADER_BYTES, parseMediaHeader, PieceKind } from '@/player/media-header';

function header(fill: (view: DataView) => void, bytes = HEADER_BYTES + 100): ArrayBuffer {
  const buffer = new ArrayBuffer(bytes);
  const view = new DataView(buffer);
  view.setUint8(0, 2);
  fill(view);
  return buffer;
}

describe('media header', () => {
  it('reads every field, big-endian', () => {
    const parsed = parseMediaHeader(
      header((view) => {
        view.setUint8(1, 1 | 8);
        view.setUint16(2, 300);
        view.setUint32(4, 70000);
        view.setBigUint64(8, 1_795_000_000_123_456n);
        view.setBigInt64(16, -90000n);
        view.setUint32(24, 96);
        view.setUint32(28, 3600);
      }),
    );
    expect(parsed).toEqual({
      kind: PieceKind.media,
      isKey: true,
      isAudio: false,
      isDiscontinuity: false,
      isRecorded: true,
      tile: 300,
      generation: 70000,
      wallUs: 1_795_000_000_123_456,
      pts: -90000,
      offset: 96,
      duration: 3600,
    });
  });

  it('refuses what is too short, of an unknown kind, or points outside the piece', () => {
    expect(parseMediaHeader(new ArrayBuffer(31))).toBeNull();
    expect(parseMediaHeader(header((view) => view.setUint8(0, 3)))).toBeNull();
    expect(parseMediaHeader(header((view) => view.setUint32(24, 101)))).toBeNull();
  });
});
