// Moving pictures for the mock: ffmpeg makes a short looped clip, cut into one fragment per access unit.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const TIMESCALE = 90000;

function* boxes(data, start = 0, end = data.length) {
  let at = start;
  while (at + 8 <= end) {
    const size = data.readUInt32BE(at);
    if (size < 8) return;
    yield { type: data.toString('latin1', at + 4, at + 8), at, size };
    at += size;
  }
}

function find(data, start, end, path) {
  for (const box of boxes(data, start, end)) {
    if (box.type !== path[0]) continue;
    if (path.length === 1) return box;
    return find(data, box.at + 8, box.at + box.size, path.slice(1));
  }
  return null;
}

/** Makes (once) and reads a clip: { init, frames: [{ piece, offset, isKey, duration }], codec, ... }. */
export function loadClip({ name, codec, hue, size, seconds = 12, fps = 12, bframes = 0 }) {
  const dir = join(tmpdir(), 'rookery-web-mock');
  mkdirSync(dir, { recursive: true });
  const file = join(dir, `${name}.mp4`);
  if (!existsSync(file)) {
    const source = `testsrc2=size=${size}:rate=${fps}:duration=${seconds},hue=h=${hue}`;
    const coder =
      codec === 'h265'
        ? ['-c:v', 'libx265', '-x265-params', `keyint=${fps * 2}:log-level=error`, '-tag:v', 'hvc1']
        : ['-c:v', 'libx264', '-g', `${fps * 2}`, '-bf', `${bframes}`, '-preset', 'veryfast'];
    const args = [
      '-v',
      'error',
      '-y',
      '-f',
      'lavfi',
      '-i',
      source,
      ...coder,
      '-pix_fmt',
      'yuv420p',
    ];
    args.push('-crf', '28', '-video_track_timescale', `${TIMESCALE}`, '-movflags');
    args.push('frag_every_frame+empty_moov+default_base_moof', file);
    const { status, stderr } = spawnSync('ffmpeg', args);
    if (status !== 0) throw new Error(`ffmpeg: ${stderr}`);
  }
  return parseClip(readFileSync(file), codec);
}

function parseClip(data, codec) {
  const frames = [];
  const head = [];
  let moof = null;
  for (const box of boxes(data)) {
    if (box.type === 'moof') moof = box;
    else if (box.type === 'mdat' && moof) {
      const piece = Buffer.from(data.subarray(moof.at, box.at + box.size));
      frames.push(frameOf(piece, moof.size));
      moof = null;
    } else if (box.type === 'ftyp' || box.type === 'moov') {
      head.push(data.subarray(box.at, box.at + box.size));
    }
  }
  const init = Buffer.concat(head);
  const total = frames.reduce((sum, frame) => sum + frame.duration, 0);
  return { init, frames, total, codec, codecString: codecString(init, codec), ...sizeOf(init) };
}

function frameOf(piece, moofSize) {
  const tfdt = find(piece, 0, moofSize, ['moof', 'traf', 'tfdt']);
  const tfhd = find(piece, 0, moofSize, ['moof', 'traf', 'tfhd']);
  const trun = find(piece, 0, moofSize, ['moof', 'traf', 'trun']);
  const is64 = piece[tfdt.at + 8] === 1;
  const decodeTime = is64
    ? Number(piece.readBigUInt64BE(tfdt.at + 12))
    : piece.readUInt32BE(tfdt.at + 12);
  const tfhdFlags = piece.readUInt32BE(tfhd.at + 8) & 0xffffff;
  let at = tfhd.at + 16;
  if (tfhdFlags & 1) at += 8;
  if (tfhdFlags & 2) at += 4;
  let duration = 7500;
  if (tfhdFlags & 8) duration = piece.readUInt32BE(at);
  const flags = piece.readUInt32BE(trun.at + 8) & 0xffffff;
  at = trun.at + 16;
  if (flags & 1) at += 4;
  let sampleFlags = null;
  if (flags & 4) {
    sampleFlags = piece.readUInt32BE(at);
    at += 4;
  }
  if (flags & 0x100) {
    duration = piece.readUInt32BE(at);
    at += 4;
  }
  if (flags & 0x200) at += 4;
  if (flags & 0x400) {
    sampleFlags = piece.readUInt32BE(at);
    at += 4;
  }
  const shift = flags & 0x800 ? piece.readInt32BE(at) : 0;
  const isKey = sampleFlags !== null && (sampleFlags & 0x10000) === 0;
  return { piece, offset: moofSize + 8, isKey, duration, decodeTime, shift, tfdt: tfdt.at, is64 };
}

function codecString(init, codec) {
  const at = init.indexOf(codec === 'h265' ? 'hvcC' : 'avcC') + 4;
  if (codec === 'h265') return 'hvc1.1.6.L90.90';
  return `avc1.${init
    .subarray(at + 1, at + 4)
    .toString('hex')
    .toUpperCase()}`;
}

function sizeOf(init) {
  const at = Math.max(init.indexOf('avc1'), init.indexOf('hvc1'), init.indexOf('hev1')) + 4;
  return { width: init.readUInt16BE(at + 24), height: init.readUInt16BE(at + 26) };
}

/** The fragment with its decode time moved by whole loops. */
export function shifted(clip, index, loop) {
  const frame = clip.frames[index];
  const piece = Buffer.from(frame.piece);
  const decodeTime = frame.decodeTime + loop * clip.total;
  if (frame.is64) piece.writeBigUInt64BE(BigInt(decodeTime), frame.tfdt + 12);
  else piece.writeUInt32BE(decodeTime % 2 ** 32, frame.tfdt + 12);
  return { piece, pts: decodeTime + frame.shift, frame };
}
