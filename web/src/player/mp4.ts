// What the player needs from an init segment: the video track's timescale and decoder configuration.
// ISO/IEC 14496-12 (boxes), 14496-15 (avcC, hvcC), 14496-1 (esds).

import { isPlain, type PlainCodec } from './plain-sound';

export interface VideoTrack {
  readonly timescale: number;
  readonly width: number;
  readonly height: number;
  /** Codec string as browsers want it, e.g. avc1.64001F. */
  readonly codec: string;
  /** Content of avcC or hvcC: what VideoDecoder calls `description`. Empty for MJPEG. */
  readonly description: Uint8Array;
}

interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

const VISUAL_ENTRY_BYTES = 78;
const JPEG_OBJECT_TYPE = 0x6c;

function* boxes(data: DataView, start: number, end: number): Generator<Box> {
  let at = start;
  while (at + 8 <= end) {
    let size = data.getUint32(at);
    let header = 8;
    if (size === 1 && at + 16 <= end) {
      size = Number(data.getBigUint64(at + 8));
      header = 16;
    } else if (size === 0) {
      size = end - at;
    }
    if (size < header || at + size > end) return;
    const type = String.fromCharCode(
      data.getUint8(at + 4),
      data.getUint8(at + 5),
      data.getUint8(at + 6),
      data.getUint8(at + 7),
    );
    yield { type, start: at + header, end: at + size };
    at += size;
  }
}

function child(data: DataView, parent: Box | null, type: string, skip = 0): Box | null {
  if (!parent) return null;
  for (const box of boxes(data, parent.start + skip, parent.end)) if (box.type === type) return box;
  return null;
}

function handlerOf(data: DataView, mdia: Box | null): string {
  const hdlr = child(data, mdia, 'hdlr');
  if (!hdlr || hdlr.start + 12 > hdlr.end) return '';
  return String.fromCharCode(...[8, 9, 10, 11].map((i) => data.getUint8(hdlr.start + i)));
}

function timescaleOf(data: DataView, mdia: Box | null): number {
  const mdhd = child(data, mdia, 'mdhd');
  if (!mdhd || mdhd.end - mdhd.start < 24) return 0;
  return data.getUint32(mdhd.start + (data.getUint8(mdhd.start) === 1 ? 20 : 12));
}

const hex2 = (n: number) => n.toString(16).toUpperCase().padStart(2, '0');

export function avcCodecString(avcc: Uint8Array): string {
  return `avc1.${hex2(avcc[1] ?? 0)}${hex2(avcc[2] ?? 0)}${hex2(avcc[3] ?? 0)}`;
}

/** ISO/IEC 14496-15 annex E: profile, reversed compatibility flags, tier and level, constraint bytes. */
export function hevcCodecString(hvcc: Uint8Array, entry = 'hvc1'): string {
  const general = hvcc[1] ?? 0;
  const space = ['', 'A', 'B', 'C'][general >> 6] ?? '';
  let compatibility = 0;
  for (let bit = 0; bit < 32; bit++) {
    const byte = hvcc[2 + (bit >> 3)] ?? 0;
    if (byte & (0x80 >> (bit & 7))) compatibility += 2 ** bit;
  }
  const tier = general & 0x20 ? 'H' : 'L';
  const constraints = Array.from(hvcc.subarray(6, 12));
  while (constraints.length > 0 && constraints[constraints.length - 1] === 0) constraints.pop();
  const tail = constraints.map((b) => `.${b.toString(16).toUpperCase()}`).join('');
  const profile = `${space}${general & 0x1f}`;
  return `${entry}.${profile}.${compatibility.toString(16).toUpperCase()}.${tier}${hvcc[12] ?? 0}${tail}`;
}

/** The object type that an esds box names, e.g. 0x6C for JPEG; 0 when it cannot be read. */
function objectTypeOf(data: DataView, esds: Box): number {
  let at = esds.start + 4;
  const enter = (tag: number, skip: number): boolean => {
    if (at >= esds.end || data.getUint8(at) !== tag) return false;
    at += 1;
    while (at < esds.end && data.getUint8(at) & 0x80) at += 1; // seven bits of the size each
    at += 1 + skip;
    return at < esds.end;
  };
  return enter(3, 3) && enter(4, 0) ? data.getUint8(at) : 0;
}

function trackOf(bytes: Uint8Array, data: DataView, trak: Box): VideoTrack | null {
  const mdia = child(data, trak, 'mdia');
  if (handlerOf(data, mdia) !== 'vide') return null;
  const stbl = child(data, child(data, mdia, 'minf'), 'stbl');
  const stsd = child(data, stbl, 'stsd');
  if (!stsd) return null;
  for (const entry of boxes(data, stsd.start + 8, stsd.end)) {
    if (entry.end - entry.start < VISUAL_ENTRY_BYTES) continue;
    const config =
      child(data, entry, 'avcC', VISUAL_ENTRY_BYTES) ??
      child(data, entry, 'hvcC', VISUAL_ENTRY_BYTES);
    const size = {
      timescale: timescaleOf(data, mdia) || 90000,
      width: data.getUint16(entry.start + 24),
      height: data.getUint16(entry.start + 26),
    };
    const esds = entry.type === 'mp4v' ? child(data, entry, 'esds', VISUAL_ENTRY_BYTES) : null;
    if (esds && objectTypeOf(data, esds) === JPEG_OBJECT_TYPE)
      return { ...size, codec: 'mp4v.6C', description: new Uint8Array() };
    if (!config) continue;
    const description = bytes.slice(config.start, config.end);
    return {
      ...size,
      codec:
        config.type === 'avcC'
          ? avcCodecString(description)
          : hevcCodecString(description, entry.type),
      description,
    };
  }
  return null;
}

export interface SoundTrack {
  readonly codec: 'aac' | PlainCodec;
  /** For browsers, e.g. mp4a.40.2. */
  readonly codecString: string;
  readonly sampleRate: number;
  readonly channels: number;
  /** AudioSpecificConfig; empty for everything else. */
  readonly description: Uint8Array;
}

const AUDIO_ENTRY_BYTES = 28;

/** The DecoderSpecificInfo of an esds box (ISO/IEC 14496-1 7.2.6). */
function specificConfig(data: DataView, esds: Box): Uint8Array {
  const SKIPPED: Record<number, number> = { 3: 3, 4: 13 };
  let at = esds.start + 4;
  while (at + 2 <= esds.end) {
    const tag = data.getUint8(at++);
    let size = 0;
    for (let more = true; more && at < esds.end; ) {
      const byte = data.getUint8(at++);
      size = size * 128 + (byte & 0x7f);
      more = (byte & 0x80) !== 0;
    }
    if (tag === 5) {
      const end = Math.min(at + size, esds.end);
      return new Uint8Array(data.buffer, data.byteOffset + at, end - at).slice();
    }
    at += SKIPPED[tag] ?? size;
  }
  return new Uint8Array();
}

function soundOf(data: DataView, mdia: Box | null): SoundTrack | null {
  const stsd = child(data, child(data, child(data, mdia, 'minf'), 'stbl'), 'stsd');
  if (!stsd) return null;
  for (const entry of boxes(data, stsd.start + 8, stsd.end)) {
    if (entry.end - entry.start < AUDIO_ENTRY_BYTES) continue;
    const common = {
      sampleRate: timescaleOf(data, mdia),
      channels: data.getUint16(entry.start + 16) || 1,
    };
    if (isPlain(entry.type))
      return {
        codec: entry.type,
        codecString: entry.type,
        ...common,
        description: new Uint8Array(),
      };
    const esds = entry.type === 'mp4a' ? child(data, entry, 'esds', AUDIO_ENTRY_BYTES) : null;
    if (!esds) continue;
    const description = specificConfig(data, esds);
    const kind = (description[0] ?? 0x10) >> 3;
    return { codec: 'aac', codecString: `mp4a.40.${kind}`, ...common, description };
  }
  return null;
}

function* soundTracks(data: DataView): Generator<Box> {
  const moov = child(data, { type: '', start: 0, end: data.byteLength }, 'moov');
  if (!moov) return;
  for (const box of boxes(data, moov.start, moov.end))
    if (box.type === 'trak' && handlerOf(data, child(data, box, 'mdia')) === 'soun') yield box;
}

/** The sound of an init segment; null when it has none that we know. */
export function parseSound(bytes: Uint8Array): SoundTrack | null {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const trak of soundTracks(data)) {
    const sound = soundOf(data, child(data, trak, 'mdia'));
    if (sound) return sound;
  }
  return null;
}

/** The same init segment with the pictures alone: Media Source gets no sound, and may not know its codec. */
export function withoutSound(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (soundTracks(view).next().done) return bytes;
  const copy = bytes.slice();
  const data = new DataView(copy.buffer);
  const blank = (box: Box) => copy.set([0x66, 0x72, 0x65, 0x65], box.start - 4); // 'free'
  const gone = new Set<number>();
  for (const trak of [...soundTracks(data)]) {
    const tkhd = child(data, trak, 'tkhd');
    if (tkhd) gone.add(data.getUint32(tkhd.start + (data.getUint8(tkhd.start) === 1 ? 20 : 12)));
    blank(trak);
  }
  const moov = child(data, { type: '', start: 0, end: copy.byteLength }, 'moov');
  const mvex = child(data, moov, 'mvex');
  if (mvex)
    for (const box of [...boxes(data, mvex.start, mvex.end)])
      if (box.type === 'trex' && gone.has(data.getUint32(box.start + 4))) blank(box);
  return copy;
}

/** Null when the bytes hold no H.264, H.265 or MJPEG video track. */
export function parseInit(bytes: Uint8Array): VideoTrack | null {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const moov = child(data, { type: '', start: 0, end: bytes.byteLength }, 'moov');
  if (!moov) return null;
  for (const box of boxes(data, moov.start, moov.end)) {
    if (box.type !== 'trak') continue;
    const track = trackOf(bytes, data, box);
    if (track) return track;
  }
  return null;
}
