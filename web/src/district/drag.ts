// What a drag from the tree or from a tile carries.

export const dragType = 'application/x-rookery';

export type DragItem =
  | { kind: 'camera'; id: string }
  | { kind: 'institution'; id: string }
  | { kind: 'tile'; index: number };

export function parseDrag(text: string): DragItem | null {
  try {
    const item = JSON.parse(text) as DragItem;
    return ['camera', 'institution', 'tile'].includes(item.kind) ? item : null;
  } catch {
    return null;
  }
}
