// Pure logic of the wall: which camera is on which tile, and how keys and drops change that.

export const LAYOUTS = [1, 4, 9, 16, 25, 36, 64] as const;
export type Layout = (typeof LAYOUTS)[number];
export const TILES_MOST = 64;

export interface WallPlan {
  layout: Layout;
  /** Camera ids by tile; always TILES_MOST long, so that a smaller layout forgets nothing. */
  tiles: (string | null)[];
}

export function isLayout(value: unknown): value is Layout {
  return LAYOUTS.includes(value as Layout);
}

export function columnsOf(layout: Layout): number {
  return Math.sqrt(layout);
}

/** The smallest layout that holds n tiles. */
export function layoutFor(n: number, most: Layout = 64): Layout {
  return LAYOUTS.find((layout) => layout >= n || layout === most) ?? most;
}

export function planOf(layout: Layout, cameras: (string | null)[]): WallPlan {
  const tiles = Array.from({ length: TILES_MOST }, (_, i) => cameras[i] ?? null);
  return { layout, tiles };
}

/** What the first visit shows: the first cameras, at most 16. */
export function firstPlan(cameras: string[]): WallPlan {
  return planOf(layoutFor(Math.max(4, cameras.length), 16), cameras.slice(0, 16));
}

export function put(plan: WallPlan, tile: number, camera: string | null): WallPlan {
  const tiles = [...plan.tiles];
  tiles[tile] = camera;
  return { ...plan, tiles };
}

/** Drops a tile onto another: they change places. */
export function swap(plan: WallPlan, a: number, b: number): WallPlan {
  const tiles = [...plan.tiles];
  [tiles[a], tiles[b]] = [tiles[b] ?? null, tiles[a] ?? null];
  return { ...plan, tiles };
}

/** The tile the next camera goes to: the selected one when empty, else the first empty one; -1 = none. */
export function nextEmpty(plan: WallPlan, selected: number): number {
  if (selected < plan.layout && !plan.tiles[selected]) return selected;
  const at = plan.tiles.slice(0, plan.layout).indexOf(null);
  return at;
}

/** A whole institution on the wall: the layout grows when that is needed. */
export function fillWith(plan: WallPlan, cameras: string[]): WallPlan {
  const layout = cameras.length > plan.layout ? layoutFor(cameras.length) : plan.layout;
  return planOf(layout, cameras);
}

export type Direction = 'left' | 'right' | 'up' | 'down';

export function moveSelection(layout: Layout, selected: number, direction: Direction): number {
  const columns = columnsOf(layout);
  const step = { left: -1, right: 1, up: -columns, down: columns }[direction];
  const next = selected + step;
  return next >= 0 && next < layout ? next : selected;
}

/** Patrol: one page per institution, more when it has more cameras than the layout has tiles. */
export function patrolPages(groups: string[][], layout: Layout): string[][] {
  return groups.flatMap((cameras) => {
    const pages: string[][] = [];
    for (let i = 0; i < cameras.length; i += layout) pages.push(cameras.slice(i, i + layout));
    return pages;
  });
}

export function serialize(plan: WallPlan): string {
  let length = plan.tiles.length;
  while (length > 0 && !plan.tiles[length - 1]) length -= 1;
  return JSON.stringify({ layout: plan.layout, tiles: plan.tiles.slice(0, length) });
}

/** Null for anything that is not a wall: it comes from storage, where anything may be. */
export function deserialize(text: string | null): WallPlan | null {
  if (!text) return null;
  try {
    const value = JSON.parse(text) as { layout?: unknown; tiles?: unknown };
    if (!isLayout(value.layout) || !Array.isArray(value.tiles)) return null;
    const tiles = value.tiles.map((tile: unknown) => (typeof tile === 'string' ? tile : null));
    return planOf(value.layout, tiles);
  } catch {
    return null;
  }
}
