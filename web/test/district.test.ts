import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Camera, CameraStateShort, Institution, Township } from '@/api/schema';
import {
  cameraForm,
  cameraInput,
  checkCamera,
  checkInstitution,
  institutionForm,
} from '@/district/forms';
import { listTownships } from '@/district/list';
import { isPushed, newKey, pushAddress } from '@/district/push';
import { sourceOf } from '@/district/source';
import { buildTree, camerasInOrder, cameraNode, flattenTree, levelOf } from '@/district/tree';
import en from '@/i18n/en';
import zhCN from '@/i18n/zh-CN';

const state = (fields: Partial<CameraStateShort> = {}): CameraStateShort => ({
  cause: 'ok',
  detail: '',
  since: '2026-11-23T00:00:00.000Z',
  reachable: true,
  advancing: true,
  recording: true,
  has_sub: false,
  ...fields,
});

const camera = (id: string, fields: Partial<Camera> = {}): Camera => ({
  id,
  name: `门 ${id}`,
  institution_id: 'dolphin',
  institution_name: '小海豚',
  township_id: 'cq',
  area: '',
  area_type: 'other',
  main_url: 'rtsp://192.0.2.1/a',
  sub_url: '',
  username: '',
  has_password: false,
  transport: 'auto',
  record: 'main',
  on_demand: false,
  retention_days: null,
  enabled: true,
  state: state(),
  ...fields,
});

const townships: Township[] = [{ id: 'cq', name: '城桥镇', institutions: 1, cameras: 3 }];
const institutions: Institution[] = [
  {
    id: 'dolphin',
    name: '小海豚',
    type: '',
    township_id: 'cq',
    township_name: '城桥镇',
    address: '',
    contact: '',
    phone: '',
    external_id: '',
    enabled: true,
    cameras: 3,
  },
];
const cameras = [camera('c10'), camera('c2'), camera('c3', { enabled: false })];
const tree = buildTree(
  townships,
  institutions,
  cameras,
  new Map([['c2', state({ cause: 'timeout', advancing: false, recording: false })]]),
);

describe('level of a camera', () => {
  it('is ok only when pictures advance and are recorded where they should be', () => {
    const one = camera('c1');
    expect(levelOf(one, state())).toBe('ok');
    expect(levelOf(one, state({ recording: false }))).toBe('look');
    expect(levelOf(camera('c1', { record: 'off' }), state({ recording: false }))).toBe('ok');
    expect(levelOf(one, state({ cause: 'ok', advancing: false }))).toBe('look');
    expect(levelOf(one, state({ cause: 'timeout', advancing: false }))).toBe('act');
    expect(levelOf(one, state({ cause: 'connecting', advancing: false }))).toBe('connecting');
    expect(levelOf(one, state({ cause: 'idle', advancing: false }))).toBe('idle');
    expect(levelOf(camera('c1', { enabled: false }), state())).toBe('off');
    expect(levelOf(one, undefined)).toBe('connecting');
  });

  it('gives the reason beside it', () => {
    expect(cameraNode(camera('c1'), state()).reason).toBe('');
    expect(cameraNode(camera('c1'), state({ recording: false })).reason).toBe('not_recording');
    expect(cameraNode(camera('c1'), state({ cause: 'auth', advancing: false })).reason).toBe(
      'auth',
    );
  });
});

describe('tree', () => {
  it('counts what is up of what should be', () => {
    expect(tree).toMatchObject({ online: 1, expected: 2, acting: 1 });
  });

  it('orders numbers as numbers', () => {
    expect(camerasInOrder(tree).map(({ id }) => id)).toEqual(['c2', 'c3', 'c10']);
  });

  it('shows only what is open, and everything that matches a search', () => {
    expect(flattenTree(tree, new Set(), '')).toHaveLength(1);
    expect(flattenTree(tree, new Set(['t:cq']), '')).toHaveLength(2);
    expect(flattenTree(tree, new Set(['t:cq', 'i:dolphin']), '')).toHaveLength(5);
    expect(flattenTree(tree, new Set(), '海豚 c10').map((row) => row.key)).toEqual([
      't:cq',
      'i:dolphin',
      'c:c10',
    ]);
    expect(flattenTree(tree, new Set(), 'nothing')).toEqual([]);
  });

  it('flattens two thousand cameras quickly', () => {
    const many = Array.from({ length: 2000 }, (_, i) => camera(`x${i}`));
    const started = performance.now();
    const big = buildTree(townships, institutions, many, new Map());
    expect(flattenTree(big, new Set(['t:cq', 'i:dolphin']), '')).toHaveLength(2002);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('institutions list', () => {
  it('filters by search and by fault', () => {
    expect(listTownships(tree, '', false)).toHaveLength(1);
    const acting = listTownships(tree, '', true);
    expect(acting[0]?.institutions[0]?.cameras.map((node) => node.camera.id)).toEqual(['c2']);
    expect(listTownships(tree, 'c10', false)[0]?.institutions[0]?.cameras).toHaveLength(1);
    expect(listTownships(tree, '没有', false)).toEqual([]);
  });
});

describe('forms', () => {
  it('refuses areas where the law forbids cameras', () => {
    const form = { ...cameraForm(undefined, 'dolphin'), name: 'x', main_url: 'rtsp://h/a' };
    expect(checkCamera(form)).toEqual({});
    expect(checkCamera({ ...form, area_type: 'toilet' })).toEqual({ area_type: 'forbidden' });
  });

  it('names every field that is wrong', () => {
    const form = {
      ...cameraForm(undefined),
      id: 'a b',
      main_url: 'ftp://h',
      sub_url: 'x',
      retention_days: '0',
    };
    expect(checkCamera(form)).toEqual({
      id: 'badId',
      name: 'required',
      institution_id: 'required',
      main_url: 'badUrl',
      sub_url: 'badUrl',
      retention_days: 'badDays',
    });
    expect(checkInstitution(institutionForm(undefined))).toMatchObject({ township_id: 'required' });
  });

  it('takes the addresses of foreign streams', () => {
    const form = { ...cameraForm(undefined, 'dolphin'), name: 'x' };
    for (const url of [
      'rtspsh://h/a',
      'rtmp://h/live/a',
      'https://h/a.m3u8',
      'udp://:5000',
      'srt://h:9000',
    ])
      expect(checkCamera({ ...form, main_url: url })).toEqual({});
    for (const url of ['file:///a', 'rtspx://h/a', 'udp://', '/a'])
      expect(checkCamera({ ...form, main_url: url })).toEqual({ main_url: 'badUrl' });
  });

  it('sends a password only when one was typed, and an id only for a new camera', () => {
    const form = cameraForm(camera('c1'));
    expect(cameraInput(form, false)).not.toHaveProperty('password');
    expect(cameraInput(form, false)).not.toHaveProperty('id');
    expect(cameraInput({ ...form, password: 'p' }, true)).toMatchObject({
      password: 'p',
      id: 'c1',
    });
    expect(cameraInput({ ...form, retention_days: '30' }, false).retention_days).toBe(30);
    expect(cameraInput(form, false).retention_days).toBeNull();
  });
});

describe('the source of a stream', () => {
  it('is told by the address of the stream that is shown', () => {
    const of = (main_url: string, sub_url = '', stream: 'main' | 'sub' | null = 'main') =>
      sourceOf({ main_url, sub_url }, stream);
    expect(of('rtsp://192.0.2.1/a')).toBe('pull');
    expect(of(' RTSPS://192.0.2.1/a')).toBe('pull');
    expect(of('push:')).toBe('push');
    expect(of('srt://192.0.2.1:9000')).toBe('foreign');
    expect(of('push:', 'http://192.0.2.1/live.flv', 'sub')).toBe('foreign');
    expect(of('push:', '', 'sub')).toBe('push');
    expect(of('push:', 'rtsp://192.0.2.1/b', null)).toBe('push');
    expect(sourceOf(undefined, null)).toBe('pull');
  });
});

describe('a camera whose encoder pushes', () => {
  const pushed = { ...cameraForm(camera('a')), main_url: 'push:' };

  it('needs a key, unless it has one', () => {
    expect(checkCamera(pushed)).toEqual({ password: 'keyRequired' });
    expect(checkCamera(pushed, true)).toEqual({});
    expect(checkCamera({ ...pushed, password: 'k' })).toEqual({});
    expect(checkCamera({ ...cameraForm(camera('a')), sub_url: 'push:' })).toEqual({
      password: 'keyRequired',
    });
  });

  it('is meant by that word alone', () => {
    expect(isPushed('push:')).toBe(true);
    expect(isPushed('push:x')).toBe(false);
    expect(checkCamera({ ...pushed, main_url: 'push:x', password: 'k' })).toEqual({
      main_url: 'badUrl',
    });
  });

  it('gets keys that differ and need no encoding', () => {
    const keys = new Set(Array.from({ length: 100 }, newKey));
    expect(keys.size).toBe(100);
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-]{24}$/);
  });

  it('tells what to enter into the encoder', () => {
    const target = { host: 'nvr.example', port: 8554, id: 'cam-001', stream: 'main' as const };
    expect(pushAddress(target)).toBe('rtsp://nvr.example:8554/cam-001');
    expect(pushAddress({ ...target, stream: 'sub' }, 'a b/c')).toBe(
      'rtsp://nvr.example:8554/cam-001/sub?key=a%20b%2Fc',
    );
    expect(pushAddress({ ...target, host: '2001:db8::1', id: '' })).toBe(
      'rtsp://[2001:db8::1]:8554/…',
    );
  });
});

describe('the import', () => {
  it('names the columns as the server takes them', () => {
    const source = readFileSync('../server/import_sheet.c', 'utf8');
    const named = [...source.matchAll(/\{"(\w+)", "([^"]+)", (?:true|false)\}/g)];
    expect(named.length).toBeGreaterThan(10);
    expect(zhCN.district.importColumnOf).toEqual(
      Object.fromEntries(named.map(([, english, chinese]) => [english, chinese])),
    );
    expect(Object.entries(en.district.importColumnOf).every(([key, name]) => key === name)).toBe(
      true,
    );
  });
});
