import { describe, expect, it } from 'vitest';
import type { Hold, Kept, Storage } from '@/api/schema';
import { heldSpans, holdAt, isInForce, wrongReason } from '@/holds/holds';
import { daysMissing, listKept, stateOfKept } from '@/storage/kept';
import { daysText, daysUntilFull, tenthsKept, tenthsMissing, verdictOf } from '@/storage/verdict';
import { fillOf, isWritable, withNews, worstFirst, type Volume } from '@/storage/volumes';
import { latencyOf, shareOf } from '@/ui/numbers';

const none = { median: 0, p99: 0, max: 0 };
const volume = (path: string, fields: Partial<Volume> = {}): Volume => ({
  path,
  id: path,
  state: 'ok',
  is_ok: true,
  detail: '',
  total_bytes: 1000,
  free_bytes: 400,
  reserve_bytes: 100,
  used_bytes: 600,
  errors: 0,
  last_error: '',
  last_error_at: null,
  write_latency_s: none,
  sync_latency_s: none,
  write_bps: 0,
  cameras: 0,
  segments: 5,
  bytes: 450,
  ...fields,
});

const storage = (fields: Partial<Storage> = {}): Storage => ({
  volumes: [volume('/a')],
  segments: 5,
  bytes: 450,
  oldest: null,
  bytes_per_day: 10,
  capacity_bytes: 900,
  required_days: 90,
  forecast_days: 90,
  missing_bytes: 0,
  held_bytes: 0,
  thinning: null,
  as_of: '2026-11-26T00:00:00.000Z',
  ...fields,
});

describe('is there enough', () => {
  it('says enough when nothing is missing, whatever the average of the cameras', () => {
    expect(verdictOf(storage())).toMatchObject({ level: 'ok', key: 'enough', advice: null });
    expect(verdictOf(storage({ forecast_days: 61 })).key).toBe('enoughOwn');
  });

  it('says what is missing, and what to do', () => {
    const short = storage({ forecast_days: 61, missing_bytes: 7 });
    expect(verdictOf(short)).toEqual({ level: 'act', key: 'short', advice: 'short' });
    expect(verdictOf(storage({ missing_bytes: 7 })).key).toBe('shortOwn');
  });

  it('guesses nothing when nothing is recorded', () => {
    expect(verdictOf(storage({ forecast_days: null }))).toMatchObject({
      level: 'idle',
      key: 'unknown',
    });
  });

  it('says first that recording has stopped when no volume can be written', () => {
    const dead = [volume('/a', { state: 'failed' }), volume('/b', { state: 'full' })];
    expect(verdictOf(storage({ volumes: dead })).key).toBe('stopped');
    const slow = [...dead, volume('/c', { state: 'stalled' })];
    expect(verdictOf(storage({ volumes: slow })).key).toBe('enough');
  });

  it('never rounds days up', () => {
    expect([61.99, 89.999, 9.99, 0.04, null].map(daysText)).toEqual([
      '61',
      '89',
      '9.9',
      '0.0',
      '—',
    ]);
  });

  it('rounds days in columns against itself', () => {
    expect([89.99, 0].map(tenthsKept)).toEqual(['89.9', '0.0']);
    expect([0.01, 28.7, 90 - 61.3].map(tenthsMissing)).toEqual(['0.1', '28.7', '28.7']);
  });

  it('knows when the disks will be full, and when they are', () => {
    expect(daysUntilFull(storage())).toBe(45);
    expect(daysUntilFull(storage({ bytes: 895 }))).toBe(0.5);
    expect(daysUntilFull(storage({ bytes: 899.7 }))).toBeNull();
    expect(daysUntilFull(storage({ bytes_per_day: 0 }))).toBeNull();
    const thinning = { after_days: 30, keep: 'keyframes' as const, share: 0.1 };
    expect(daysUntilFull(storage({ thinning }))).toBe(450);
    expect(daysUntilFull(storage({ thinning: { ...thinning, share: null } }))).toBe(45);
  });
});

describe('volumes', () => {
  it('come with the worst first, else as configured', () => {
    const list = [
      volume('/a'),
      volume('/b', { state: 'stalled' }),
      volume('/c', { state: 'swapped' }),
      volume('/d'),
      volume('/e', { state: 'missing' }),
    ];
    expect(worstFirst(list).map(({ path }) => path)).toEqual(['/c', '/e', '/b', '/a', '/d']);
  });

  it('are written to while they are ok or slow', () => {
    const states = ['ok', 'stalled', 'full', 'failed', 'taken'] as const;
    expect(states.map((state) => isWritable(volume('/a', { state })))).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('tell recordings from other files, and where the reserve begins', () => {
    const fill = fillOf(volume('/a'));
    expect(fill?.recorded).toBeCloseTo(0.45);
    expect(fill?.other).toBeCloseTo(0.15);
    expect(fill?.reserveFrom).toBeCloseTo(0.9);
    expect(fillOf(volume('/a', { bytes: 700 }))?.other).toBe(0);
    expect(fillOf(volume('/a', { total_bytes: 0 }))).toBeNull();
  });

  it('take over the news of an event and keep what it does not carry', () => {
    const [a, b] = withNews([volume('/a'), volume('/b')], { path: '/b', state: 'failed' });
    expect(a?.state).toBe('ok');
    expect(b).toMatchObject({ state: 'failed', segments: 5, bytes: 450 });
  });

  it('say latencies as one reads them', () => {
    expect([0.00002, 0.0021, 0.0184, 0.9999, 7.81].map(latencyOf)).toEqual([
      '<0.1\u00a0ms',
      '2.1\u00a0ms',
      '18\u00a0ms',
      '1.0\u00a0s',
      '7.8\u00a0s',
    ]);
    expect([0.744, 0.001, 0, null].map(shareOf)).toEqual([
      '74\u00a0%',
      '<1\u00a0%',
      '0\u00a0%',
      '—',
    ]);
  });
});

const kept = (camera_id: string, fields: Partial<Kept> = {}): Kept => ({
  camera_id,
  name: camera_id,
  institution_id: 'dolphin',
  institution_name: '小海豚',
  days_required: 90,
  oldest: '2026-09-01T00:00:00.000Z',
  days_kept: 90,
  bytes_per_day: 1,
  holds: 0,
  is_short: false,
  ...fields,
});

describe('days kept', () => {
  it('are short only where something was deleted too early', () => {
    expect(stateOfKept(kept('a', { days_kept: 12 }))).toBe('growing');
    expect(stateOfKept(kept('a', { days_kept: 88, is_short: true }))).toBe('short');
    expect(stateOfKept(kept('a', { days_kept: 90.1 }))).toBe('kept');
    expect(stateOfKept(kept('a', { oldest: null, days_kept: 0 }))).toBe('none');
    expect(daysMissing(kept('a', { days_kept: 91 }))).toBe(0);
  });

  it('are listed by what is missing', () => {
    const all = [
      kept('kept'),
      kept('growing', { days_kept: 1 }),
      kept('short', { days_kept: 80, is_short: true }),
      kept('shorter', { days_kept: 20, is_short: true, institution_id: 'pearl' }),
      kept('none', { oldest: null, days_kept: 0 }),
    ];
    const ids = (institution: string, onlyShort: boolean) =>
      listKept(all, { institution, onlyShort }).map(({ camera_id }) => camera_id);
    expect(ids('', false)).toEqual(['shorter', 'short', 'none', 'growing', 'kept']);
    expect(ids('', true)).toEqual(['shorter', 'short']);
    expect(ids('dolphin', true)).toEqual(['short']);
  });
});

const at = (minute: number) => Date.UTC(2026, 10, 26, 10, minute);
const hold = (from: number, to: number, fields: Partial<Hold> = {}): Hold => ({
  id: `${from}-${to}`,
  camera_id: 'cam-001',
  camera_name: '大门',
  from: new Date(at(from)).toISOString(),
  to: new Date(at(to)).toISOString(),
  reason: 'a case',
  user: 'admin',
  created_at: '2026-11-26T11:00:00.000Z',
  released_at: null,
  released_by: null,
  released_reason: null,
  bytes: 0,
  ...fields,
});

describe('holds', () => {
  const released = hold(40, 50, { released_at: '2026-11-26T12:00:00.000Z' });

  it('are joined on the timeline where they touch, and gone once released', () => {
    const spans = heldSpans([hold(20, 30), hold(0, 10), hold(8, 15), released]);
    expect(spans).toEqual([
      { fromMs: at(0), toMs: at(15) },
      { fromMs: at(20), toMs: at(30) },
    ]);
    expect(isInForce(released)).toBe(false);
  });

  it('are found at a moment, the end not included', () => {
    const list = [released, hold(0, 10)];
    expect(holdAt(list, at(5))?.id).toBe('0-10');
    expect(holdAt(list, at(10))).toBeNull();
    expect(holdAt(list, at(45))).toBeNull();
  });

  it('want a reason that the server takes: not blank, 1000 bytes at most', () => {
    expect(wrongReason('  ')).toBe('reasonNeeded');
    expect(wrongReason('案'.repeat(333))).toBeNull();
    expect(wrongReason('案'.repeat(334))).toBe('reasonLong');
  });
});
