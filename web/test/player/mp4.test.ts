import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hevcCodecString, parseInit } from '@/player/mp4';

const load = (name: string) =>
  new Uint8Array(Buffer.from(readFileSync(`test/player/${name}.b64`, 'utf8'), 'base64'));

describe('init segment', () => {
  it('gives the avcC and codec of H.264', () => {
    const track = parseInit(load('init-h264'));
    expect(track).toMatchObject({ width: 1280, height: 720, timescale: 90000 });
    expect(track?.codec).toMatch(/^avc1\.64[0-9A-F]{4}$/);
    expect(track?.description[0]).toBe(1);
  });

  it('gives the hvcC and codec of H.265', () => {
    const track = parseInit(load('init-h265'));
    expect(track).toMatchObject({ width: 640, height: 360, timescale: 90000 });
    expect(track?.codec).toMatch(/^hvc1\.1\.6\.L\d+/);
  });

  it('knows MJPEG by the object type of its esds', () => {
    const init = load('init-jpeg');
    expect(parseInit(init)).toMatchObject({
      width: 1280,
      height: 720,
      timescale: 90000,
      codec: 'mp4v.6C',
    });
    const type = init.findIndex((byte, i) => byte === 0x6c && init[i - 2] === 4);
    init[type] = 0x20; // MPEG-4 video
    expect(parseInit(init)).toBeNull();
  });

  it('survives every truncation', () => {
    for (const name of ['init-h264', 'init-jpeg']) {
      const whole = load(name);
      for (let n = 0; n < whole.length; n++) {
        const track = parseInit(whole.subarray(0, n));
        expect(track === null || name === 'init-jpeg' || track.description.length > 0).toBe(true);
      }
    }
  });

  it('prints profile, compatibility, tier, level and constraints of H.265', () => {
    const hvcc = new Uint8Array([1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93]);
    expect(hevcCodecString(hvcc)).toBe('hvc1.1.6.L93.90');
  });
});
