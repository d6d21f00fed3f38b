// Sound without frames to linear samples between -1 and 1: G.711 (ITU-T), and 16-bit samples in either byte order.

/** Named like the sample entries: A-law, mu-law, 16 bits with the upper byte first, with the lower byte first. */
export type PlainCodec = 'alaw' | 'ulaw' | 'twos' | 'sowt';

export function isPlain(codec: string): codec is PlainCodec {
  return codec === 'alaw' || codec === 'ulaw' || codec === 'twos' || codec === 'sowt';
}

function alawSample(byte: number): number {
  const v = byte ^ 0x55;
  const segment = (v >> 4) & 7;
  const step = ((v & 15) << 4) + (segment === 0 ? 8 : 0x108);
  const size = segment > 1 ? step << (segment - 1) : step;
  return (v & 0x80 ? size : -size) / 32768;
}

function ulawSample(byte: number): number {
  const v = ~byte & 0xff;
  const size = ((((v & 15) << 3) + 0x84) << ((v >> 4) & 7)) - 0x84;
  return (v & 0x80 ? -size : size) / 32768;
}

const table = (sample: (byte: number) => number) =>
  Float32Array.from({ length: 256 }, (_, i) => sample(i));
const tables = { alaw: table(alawSample), ulaw: table(ulawSample) };

type Read = (data: DataView, index: number) => number;
const reads: Record<PlainCodec, Read> = {
  alaw: (data, index) => tables.alaw[data.getUint8(index)] ?? 0,
  ulaw: (data, index) => tables.ulaw[data.getUint8(index)] ?? 0,
  twos: (data, index) => data.getInt16(2 * index, false) / 32768,
  sowt: (data, index) => data.getInt16(2 * index, true) / 32768,
};

/** One array per channel. */
export function decodePlain(
  codec: PlainCodec,
  bytes: Uint8Array,
  channels: number,
): Float32Array[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sampleBytes = codec === 'twos' || codec === 'sowt' ? 2 : 1;
  const n = Math.floor(bytes.length / (sampleBytes * channels));
  const read = reads[codec];
  return Array.from({ length: channels }, (_, channel) => {
    const out = new Float32Array(n);
    for (let i = 0; i < n; i++) out[i] = read(data, i * channels + channel);
    return out;
  });
}
