import { describe, expect, it } from 'vitest';
import {
  deserialize,
  fillWith,
  firstPlan,
  layoutFor,
  moveSelection,
  nextEmpty,
  patrolPages,
  planOf,
  put,
  serialize,
  swap,
} from '@/wall/wall-model';

const cameras = (n: number) => Array.from({ length: n }, (_, i) => `cam-${i + 1}`);

describe('wall model', () => {
  it('gives twelve cameras sixteen tiles at the first visit, and never more than sixteen', () => {
    expect(firstPlan(cameras(12)).layout).toBe(16);
    expect(firstPlan(cameras(300)).layout).toBe(16);
    expect(firstPlan(cameras(300)).tiles.filter(Boolean)).toHaveLength(16);
    expect(firstPlan(cameras(2)).layout).toBe(4);
  });

  it('puts the next camera on the selected empty tile, else on the first empty one', () => {
    const plan = planOf(4, ['a', null, 'c', null]);
    expect(nextEmpty(plan, 3)).toBe(3);
    expect(nextEmpty(plan, 0)).toBe(1);
    expect(nextEmpty(planOf(4, cameras(4)), 0)).toBe(-1);
  });

  it('grows for an institution with more cameras than tiles', () => {
    expect(layoutFor(10)).toBe(16);
    expect(fillWith(planOf(9, []), cameras(10)).layout).toBe(16);
    expect(fillWith(planOf(9, cameras(9)), cameras(2)).tiles.slice(0, 3)).toEqual([
      'cam-1',
      'cam-2',
      null,
    ]);
  });

  it('moves the selection within the grid', () => {
    expect(moveSelection(9, 4, 'up')).toBe(1);
    expect(moveSelection(9, 4, 'down')).toBe(7);
    expect(moveSelection(9, 8, 'right')).toBe(8);
    expect(moveSelection(9, 1, 'up')).toBe(1);
  });

  it('swaps and clears tiles', () => {
    const plan = planOf(4, ['a', 'b']);
    expect(swap(plan, 0, 3).tiles.slice(0, 4)).toEqual([null, 'b', null, 'a']);
    expect(put(plan, 1, null).tiles[1]).toBeNull();
  });

  it('cuts institutions into pages for the patrol', () => {
    expect(patrolPages([cameras(5), [], ['x']], 4)).toEqual([
      ['cam-1', 'cam-2', 'cam-3', 'cam-4'],
      ['cam-5'],
      ['x'],
    ]);
  });

  it('comes back from storage as it was, and from rubbish as nothing', () => {
    const plan = planOf(9, ['a', null, 'c']);
    expect(deserialize(serialize(plan))).toEqual(plan);
    for (const text of [null, '', '{', '{"layout":5,"tiles":[]}', '{"layout":4,"tiles":1}'])
      expect(deserialize(text)).toBeNull();
  });
});
