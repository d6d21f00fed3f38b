import { describe, expect, it } from 'vitest';
import { IntervalMeter, Rate, stallAfterMs } from '@/player/counters';
import { parseServerMessage } from '@/player/messages';
import { PlayoutClock } from '@/player/playout-clock';
import { WallTimes } from '@/player/wall-times';

const SECOND = 1_000_000;

describe('playout clock', () => {
  it('shows the first picture at once and later ones by their distance', () => {
    const clock = new PlayoutClock();
    expect(clock.dueIn(100 * SECOND, 0)).toBe(0);
    expect(clock.dueIn(101 * SECOND, 0)).toBe(1000);
    expect(clock.dueIn(101 * SECOND, 600)).toBe(400);
  });

  it('waits half as long at twice the speed', () => {
    const clock = new PlayoutClock();
    clock.dueIn(100 * SECOND, 0);
    clock.setSpeed(2, 0);
    expect(clock.dueIn(101 * SECOND, 0)).toBe(500);
  });

  it('jumps over a hole instead of waiting for it', () => {
    const clock = new PlayoutClock();
    clock.dueIn(100 * SECOND, 0);
    expect(clock.dueIn(200 * SECOND, 40)).toBe(0);
    expect(clock.dueIn(200.5 * SECOND, 40)).toBe(500);
  });

  it('goes on from a late picture instead of racing after lost time', () => {
    const clock = new PlayoutClock();
    clock.dueIn(100 * SECOND, 0);
    expect(clock.dueIn(101 * SECOND, 3000)).toBe(0);
    expect(clock.dueIn(102 * SECOND, 3000)).toBe(1000);
  });

  it('stands still while paused and goes on from the stepped picture', () => {
    const clock = new PlayoutClock();
    clock.dueIn(100 * SECOND, 0);
    clock.setPaused(true, 500);
    expect(clock.dueIn(101 * SECOND, 60_000)).toBe(Infinity);
    clock.shown(102 * SECOND);
    clock.setPaused(false, 60_000);
    expect(clock.dueIn(103 * SECOND, 60_000)).toBe(1000);
  });
});

describe('stall rule', () => {
  it('is two seconds, and three intervals up to five seconds for slow cameras', () => {
    expect(stallAfterMs(0)).toBe(2000);
    expect(stallAfterMs(40)).toBe(2000);
    expect(stallAfterMs(1000)).toBe(3000);
    expect(stallAfterMs(4000)).toBe(5000);
  });

  it('knows the usual interval in spite of one pause', () => {
    const meter = new IntervalMeter();
    for (let ms = 40; ms <= 4000; ms += 40) meter.picture(ms);
    expect(meter.usualMs).toBeCloseTo(40);
    meter.picture(4600);
    for (let ms = 4640; ms <= 6000; ms += 40) meter.picture(ms);
    expect(meter.usualMs).toBeLessThan(60);
  });
});

describe('rate', () => {
  it('counts per second over its window and forgets', () => {
    const rate = new Rate(3000);
    for (let ms = 0; ms < 6000; ms += 40) rate.add(1, ms);
    expect(rate.perSecond(6000)).toBeGreaterThan(23);
    expect(rate.perSecond(6000)).toBeLessThan(27);
    expect(rate.perSecond(20_000)).toBe(0);
  });
});

describe('wall times', () => {
  it('finds the wall clock of reordered pictures', () => {
    const times = new WallTimes();
    for (const [seconds, wall] of [
      [0, 10],
      [0.12, 13],
      [0.04, 11],
      [0.08, 12],
    ] as const)
      times.add(seconds, wall);
    expect(times.wallAt(0.0405)).toBe(11);
    expect(times.wallAt(0.11)).toBe(12);
    expect(times.secondsAt(12)).toBe(0.08);
    expect(times.secondsBefore(12)).toBe(0.08);
    expect(times.next(0.08)).toBe(0.12);
    expect(times.next(0.12)).toBeNull();
  });
});

describe('server message', () => {
  it('is JSON with a known type, or nothing', () => {
    expect(parseServerMessage('{"type":"pong","t":1}')).toEqual({ type: 'pong', t: 1 });
    for (const text of ['', '[]', 'null', '{"type":"nonsense"}', '{"type":1}', '{'])
      expect(parseServerMessage(text)).toBeNull();
  });
});
