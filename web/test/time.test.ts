import { describe, expect, it } from 'vitest';
import { addMonths, monthCells } from '@/playback/month';
import {
  around,
  faultOf,
  follow,
  notBeyond,
  placeAt,
  ticks,
  timeAt,
  xAt,
  zoomAbout,
} from '@/playback/timeline-scale';
import { firstDay, kindOf, levelOfRate, periodOf, shiftPeriod } from '@/reports/period';
import { bitrateOf, bytesOf, percentOf } from '@/ui/numbers';
import { clockOf, dateTimeOf, dayOf, dayStart, durationParts, exactOf, parseDay } from '@/ui/time';

const SHANGHAI = 'Asia/Shanghai';
const BERLIN = 'Europe/Berlin';
const at = (text: string) => Date.parse(text);

describe('district time', () => {
  it('prints the district’s clock, not the browser’s', () => {
    const ms = at('2026-11-23T16:05:06.789Z');
    expect(dateTimeOf(ms, SHANGHAI)).toBe('2026-11-24 00:05:06');
    expect(exactOf(ms, SHANGHAI)).toBe('00:05:06.789');
    expect(clockOf(ms, BERLIN)).toBe('17:05:06');
  });

  it('finds where days begin, across a change of summer time too', () => {
    expect(dayStart(at('2026-11-23T10:00:00Z'), SHANGHAI)).toBe(at('2026-11-22T16:00:00Z'));
    expect(parseDay('2026-10-25', BERLIN)).toBe(at('2026-10-24T22:00:00Z'));
    expect(dayStart(parseDay('2026-10-25', BERLIN), BERLIN, 1)).toBe(at('2026-10-25T23:00:00Z'));
    expect(dayOf(at('2026-10-25T22:59:59Z'), BERLIN)).toBe('2026-10-25');
    expect(parseDay('nonsense', SHANGHAI)).toBeNaN();
  });

  it('names the two largest units of a duration', () => {
    expect(durationParts(0)).toEqual([[0, 's']]);
    expect(durationParts(245)).toEqual([
      [4, 'min'],
      [5, 's'],
    ]);
    expect(durationParts(86400 * 2 + 6 * 3600 + 59)).toEqual([
      [2, 'd'],
      [6, 'h'],
    ]);
    expect(durationParts(3600)).toEqual([[1, 'h']]);
  });
});

describe('figures', () => {
  it('never calls 100 % what is not', () => {
    expect(percentOf(0.99999)).toBe('99.99\u00a0%');
    expect(percentOf(1)).toBe('100.00\u00a0%');
    expect(percentOf(null)).toBe('—');
  });

  it('carries units', () => {
    expect(bitrateOf(412_000)).toBe('412\u00a0kbit/s');
    expect(bitrateOf(6_200_000)).toBe('6.2\u00a0Mbit/s');
    expect(bytesOf(90_000_000)).toBe('90.0\u00a0MB');
    expect(bytesOf(999)).toBe('999\u00a0B');
  });
});

describe('timeline scale', () => {
  const view = { fromMs: at('2026-11-23T04:00:00Z'), toMs: at('2026-11-23T08:00:00Z') };

  it('keeps the moment under the pointer where it is while zooming', () => {
    const share = 0.3;
    const moment = timeAt(view, share * 1000, 1000);
    const closer = zoomAbout(view, share, 0.25);
    expect(closer.toMs - closer.fromMs).toBe(3_600_000);
    expect(timeAt(closer, share * 1000, 1000)).toBeCloseTo(moment, 3);
  });

  it('neither zooms closer than a minute nor farther than a month', () => {
    expect(zoomAbout(view, 0.5, 1e-9)).toEqual(around(at('2026-11-23T06:00:00Z'), 60_000));
    const far = zoomAbout(view, 0.5, 1e9);
    expect(far.toMs - far.fromMs).toBe(32 * 86_400_000);
  });

  it('maps times and places both ways', () => {
    expect(xAt(view, at('2026-11-23T06:00:00Z'), 800)).toBe(400);
    expect(timeAt(view, 400, 800)).toBe(at('2026-11-23T06:00:00Z'));
  });

  it('puts ticks at round local times, wide enough apart', () => {
    const { stepMs, times } = ticks(view, 1000, SHANGHAI);
    expect(stepMs).toBe(1_800_000);
    expect(clockOf(times[0] ?? 0, SHANGHAI)).toBe('12:00:00');
    expect(times).toHaveLength(9);
  });

  it('follows the cursor only when it leaves', () => {
    expect(follow(view, view.fromMs + 1)).toBe(view);
    const moved = follow(view, view.toMs + 1);
    expect(moved.fromMs).toBeLessThan(view.toMs + 1);
    expect(moved.toMs).toBeGreaterThan(view.toMs + 1);
  });

  it('shows little of the future', () => {
    const now = view.fromMs + 1_800_000;
    const moved = notBeyond(view, now);
    expect(moved.toMs - moved.fromMs).toBe(view.toMs - view.fromMs);
    expect(moved.toMs).toBe(now + 0.05 * (view.toMs - view.fromMs));
    expect(notBeyond(view, view.toMs)).toBe(view);
  });

  it('tells what lies at a moment', () => {
    const timeline = {
      from: '2026-11-23T04:00:00Z',
      to: '2026-11-23T05:00:00Z',
      bucket_s: 1800,
      buckets: [
        { recorded: 1, motion: 0 },
        { recorded: 0, motion: 0.5 },
      ],
      spans: [
        {
          from: '2026-11-23T04:00:00Z',
          to: '2026-11-23T04:30:00Z',
          bytes: 1,
          frames: 1,
          lost_packets: 0,
        },
      ],
      gaps: [{ from: '2026-11-23T04:30:00Z', to: '2026-11-23T05:00:00Z', cause: 'timeout' }],
    };
    expect(placeAt(timeline, at('2026-11-23T04:10:00Z'))).toEqual({
      isRecorded: true,
      gap: null,
      motion: 0,
    });
    const later = placeAt(timeline, at('2026-11-23T04:40:00Z'));
    expect(later).toMatchObject({ isRecorded: false, motion: 0.5, gap: { cause: 'timeout' } });
  });

  it('knows whose fault a gap is', () => {
    expect(faultOf('timeout')).toBe('camera');
    expect(faultOf('server_down')).toBe('own');
    expect(faultOf('disabled')).toBe('none');
  });
});

describe('calendar', () => {
  it('begins weeks on Monday', () => {
    const cells = monthCells('2026-11');
    expect(cells.indexOf('2026-11-01')).toBe(6);
    expect(cells.filter(Boolean)).toHaveLength(30);
  });

  it('crosses years', () => {
    expect(addMonths('2026-12', 1)).toBe('2027-01');
    expect(addMonths('2026-01', -1)).toBe('2025-12');
  });
});

describe('report periods', () => {
  it('knows ISO weeks, at the turn of the year too', () => {
    expect(periodOf('week', '2026-11-23')).toBe('2026-W48');
    expect(periodOf('week', '2027-01-01')).toBe('2026-W53');
    expect(firstDay('2026-W53')).toBe('2026-12-28');
    expect(shiftPeriod('2026-W53', 1)).toBe('2027-W01');
    expect(periodOf('week', '2024-12-30')).toBe('2025-W01');
  });

  it('moves by whole periods', () => {
    expect(shiftPeriod('2026-11', -1)).toBe('2026-10');
    expect(shiftPeriod('2026-01', -1)).toBe('2025-12');
    expect(shiftPeriod('2026-03-01', -1)).toBe('2026-02-28');
  });

  it('tells kinds apart', () => {
    expect(['2026-11', '2026-W47', '2026-11-23'].map(kindOf)).toEqual(['month', 'week', 'day']);
    expect(['2026', '2026-13', '2026-11-99', ''].map(kindOf)).toEqual([null, null, null, null]);
  });

  it('never colours the unknown', () => {
    expect(levelOfRate(1, 0)).toBe('off');
    expect(levelOfRate(null, 1)).toBe('off');
    expect(levelOfRate(0.995, 1)).toBe('ok');
    expect(levelOfRate(0.96, 1)).toBe('look');
    expect(levelOfRate(0.9, 1)).toBe('act');
  });
});
