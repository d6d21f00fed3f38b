// G.711 (ITU-T) to linear samples between -1 and 1.

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

/** One array per channel. */
export function decodeG711(
  law: 'alaw' | 'ulaw',
  bytes: Uint8Array,
  channels: number,
): Float32Array[] {
  const lookUp = tables[law];
  const n = Math.floor(bytes.length / channels);
  return Array.from({ length: channels }, (_, channel) => {
    const out = new Float32Array(n);
    for (let i = 0; i < n; i++) out[i] = lookUp[bytes[i * channels + channel] ?? 0] ?? 0;
    return out;
  });
}
