// Pure logic of the camera tree: grouping, counting, state levels, searching, flattening for a virtual list.

import type { Camera, CameraState, CameraStateShort, Institution, Township } from '@/api/schema';

/** What colour and shape a camera gets. */
export type Level = 'ok' | 'look' | 'act' | 'idle' | 'connecting' | 'off';

export interface CameraNode {
  camera: Camera;
  level: Level;
  /** Cause to print beside the camera; empty when all is well. */
  reason: string;
  since: string;
}

export interface InstitutionNode {
  institution: Institution;
  cameras: CameraNode[];
  online: number;
  expected: number;
}

export interface TownshipNode {
  township: Township;
  institutions: InstitutionNode[];
  online: number;
  expected: number;
}

export interface Tree {
  townships: TownshipNode[];
  online: number;
  expected: number;
  /** Cameras somebody has to do something about. */
  acting: number;
}

type AnyState = CameraState | CameraStateShort;

export function levelOf(camera: Camera, state: AnyState | undefined): Level {
  if (!camera.enabled || state?.cause === 'disabled') return 'off';
  if (!state || state.cause === 'connecting') return 'connecting';
  if (state.cause === 'idle') return 'idle';
  if (state.cause === 'ok' || state.advancing) {
    const shouldRecord = camera.record !== 'off' && !camera.on_demand;
    return state.advancing && (state.recording || !shouldRecord) ? 'ok' : 'look';
  }
  return 'act';
}

function reasonOf(level: Level, state: AnyState | undefined): string {
  if (level === 'ok') return '';
  if (level === 'off') return 'disabled';
  if (!state) return 'connecting';
  if (level === 'look' && state.cause === 'ok') {
    return state.advancing ? 'not_recording' : 'not_advancing';
  }
  return state.cause;
}

export function cameraNode(camera: Camera, state: AnyState | undefined): CameraNode {
  const known = state ?? camera.state;
  const level = levelOf(camera, known);
  return { camera, level, reason: reasonOf(level, known), since: known?.since ?? '' };
}

const isUp = (level: Level) => level === 'ok' || level === 'look' || level === 'idle';

const collator = new Intl.Collator('zh-CN', { numeric: true });
const byName = (a: { name: string; id: string }, b: { name: string; id: string }) =>
  collator.compare(a.name, b.name) || collator.compare(a.id, b.id);

export function buildTree(
  townships: Township[],
  institutions: Institution[],
  cameras: Camera[],
  states: ReadonlyMap<string, AnyState>,
): Tree {
  const byInstitution = new Map<string, CameraNode[]>();
  for (const camera of cameras) {
    const list = byInstitution.get(camera.institution_id) ?? [];
    list.push(cameraNode(camera, states.get(camera.id)));
    byInstitution.set(camera.institution_id, list);
  }
  const tree: Tree = { townships: [], online: 0, expected: 0, acting: 0 };
  const byTownship = new Map<string, InstitutionNode[]>();
  for (const institution of [...institutions].sort(byName)) {
    const nodes = (byInstitution.get(institution.id) ?? []).sort((a, b) =>
      byName(a.camera, b.camera),
    );
    const wanted = nodes.filter((node) => node.level !== 'off');
    const online = wanted.filter((node) => isUp(node.level)).length;
    tree.acting += nodes.filter((node) => node.level === 'act').length;
    const list = byTownship.get(institution.township_id) ?? [];
    list.push({ institution, cameras: nodes, online, expected: wanted.length });
    byTownship.set(institution.township_id, list);
  }
  for (const township of [...townships].sort(byName)) {
    const nodes = byTownship.get(township.id) ?? [];
    const online = nodes.reduce((sum, node) => sum + node.online, 0);
    const expected = nodes.reduce((sum, node) => sum + node.expected, 0);
    tree.townships.push({ township, institutions: nodes, online, expected });
    tree.online += online;
    tree.expected += expected;
  }
  return tree;
}

export type Row =
  | { kind: 'township'; key: string; node: TownshipNode; isOpen: boolean }
  | { kind: 'institution'; key: string; node: InstitutionNode; isOpen: boolean }
  | { kind: 'camera'; key: string; node: CameraNode };

const matches = (words: string[], ...texts: string[]) => {
  const text = texts.join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
};

/** The visible rows. While searching everything that matches is open. `open` holds keys of opened nodes. */
export function flattenTree(tree: Tree, open: ReadonlySet<string>, search: string): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const rows: Row[] = [];
  for (const townshipNode of tree.townships) {
    const { township } = townshipNode;
    const inside: Row[] = [];
    const townshipKey = `t:${township.id}`;
    const isTownshipOpen = words.length > 0 || open.has(townshipKey);
    for (const node of townshipNode.institutions) {
      const { institution } = node;
      const above = [township.name, institution.name, institution.id];
      const cameras = words.length
        ? node.cameras.filter(({ camera }) =>
            matches(words, ...above, camera.name, camera.area, camera.id),
          )
        : node.cameras;
      if (words.length && cameras.length === 0 && !matches(words, ...above)) continue;
      const key = `i:${institution.id}`;
      const isOpen = words.length > 0 || open.has(key);
      inside.push({ kind: 'institution', key, node, isOpen });
      if (!isOpen) continue;
      for (const cameraRow of cameras)
        inside.push({ kind: 'camera', key: `c:${cameraRow.camera.id}`, node: cameraRow });
    }
    if (words.length && inside.length === 0 && !matches(words, township.name)) continue;
    rows.push({ kind: 'township', key: townshipKey, node: townshipNode, isOpen: isTownshipOpen });
    if (isTownshipOpen) rows.push(...inside);
  }
  return rows;
}

/** Every camera, in the order of the tree. */
export function camerasInOrder(tree: Tree): Camera[] {
  return tree.townships.flatMap((township) =>
    township.institutions.flatMap((node) => node.cameras.map(({ camera }) => camera)),
  );
}
