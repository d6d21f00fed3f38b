import { describe, expect, it } from 'vitest';
import type { Event as MotionEvent } from '@/api/schema';
import { withEvent } from '@/events/live';

const event = (id: string, minute: number, open = false) =>
  ({ id, from: `2026-11-27T02:${String(minute).padStart(2, '0')}:00.000Z`, open }) as MotionEvent;
const ids = (list: MotionEvent[]) => list.map(({ id }) => id);
const list = [event('c', 30), event('b', 20, true), event('a', 10)];

describe('events that arrive', () => {
  it('stand in their place, not always on top', () => {
    expect(ids(withEvent(list, event('d', 40), true))).toEqual(['d', 'c', 'b', 'a']);
    expect(ids(withEvent(list, event('x', 25), true))).toEqual(['c', 'x', 'b', 'a']);
  });

  it('replace themselves when they go on', () => {
    const next = withEvent(list, event('b', 20), true);
    expect(ids(next)).toEqual(['c', 'b', 'a']);
    expect(next[1]?.open).toBe(false);
  });

  it('wait for their page when they are older than what is shown', () => {
    expect(ids(withEvent(list, event('old', 1), true))).toEqual(['c', 'b', 'a']);
    expect(ids(withEvent(list, event('old', 1), false))).toEqual(['c', 'b', 'a', 'old']);
    expect(ids(withEvent([], event('first', 1), false))).toEqual(['first']);
  });
});
