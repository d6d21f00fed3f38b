// The district in the page's memory: townships, institutions, cameras and the state of every camera, kept current
// by server-sent events. Changes of state are applied in batches, so that 2,000 cameras do not redraw the tree each.

import { computed, reactive, shallowReactive, shallowRef, triggerRef } from 'vue';
import { api, type ApiError } from '@/api/client';
import { EventStream, type VolumeNews } from '@/api/event-stream';
import type {
  Camera,
  CameraState,
  CatalogueHealth,
  Event as MotionEvent,
  Institution,
  ListStatesAnswer,
  Township,
} from '@/api/schema';
import { buildTree, type Tree } from './tree';

const BATCH_MS = 300;
const RELOAD_MS = 400;
const MOTION_KEEP_MS = 3000;

export type LoadPhase = 'idle' | 'loading' | 'ready' | 'failed';

const townships = shallowRef<Township[]>([]);
const institutions = shallowRef<Institution[]>([]);
const cameras = shallowRef<Camera[]>([]);
const states = shallowRef(new Map<string, CameraState>());
const motion = shallowReactive(new Map<string, number>());
const status = reactive({
  phase: 'idle' as LoadPhase,
  error: null as unknown,
  isConnected: true,
  /** Why the server refuses the connection, when it says so. */
  refusal: null as ApiError | null,
});

const listeners = new Set<(event: MotionEvent) => void>();
const volumeListeners = new Set<(volume: VolumeNews) => void>();
const catalogueListeners = new Set<(health: CatalogueHealth) => void>();
let stream: EventStream | null = null;
let batchTimer: ReturnType<typeof setTimeout> | null = null;
let reloadTimer: ReturnType<typeof setTimeout> | null = null;

function queueTrigger(): void {
  batchTimer ??= setTimeout(() => {
    batchTimer = null;
    triggerRef(states);
  }, BATCH_MS);
}

function motionSeen(event: MotionEvent): void {
  if (event.open) motion.set(event.camera_id, Date.now());
  else setTimeout(() => motion.delete(event.camera_id), MOTION_KEEP_MS);
  for (const listener of listeners) listener(event);
}

async function load(): Promise<void> {
  const [newTownships, newInstitutions, newCameras, newStates] = await Promise.all([
    api.all<Township>('/townships'),
    api.all<Institution>('/institutions'),
    api.all<Camera>('/cameras'),
    api.get<ListStatesAnswer>('/states'),
  ]);
  townships.value = newTownships;
  institutions.value = newInstitutions;
  cameras.value = newCameras;
  states.value = new Map(newStates.items.map((state) => [state.camera_id, state]));
}

async function reload(): Promise<void> {
  if (status.phase !== 'ready') status.phase = 'loading';
  try {
    await load();
    status.phase = 'ready';
    status.error = null;
  } catch (error) {
    status.error = error;
    if (status.phase !== 'ready') status.phase = 'failed';
  }
}

function queueReload(): void {
  reloadTimer ??= setTimeout(() => {
    reloadTimer = null;
    void reload();
  }, RELOAD_MS);
}

function start(): void {
  if (stream) return;
  void reload();
  stream = new EventStream({
    state(state) {
      states.value.set(state.camera_id, state);
      queueTrigger();
    },
    motion: motionSeen,
    volume(volume) {
      for (const listener of volumeListeners) listener(volume);
    },
    catalogue(health) {
      for (const listener of catalogueListeners) listener(health);
    },
    config: queueReload,
    connected(isConnected, refusal = null) {
      status.isConnected = isConnected;
      status.refusal = isConnected ? null : (refusal ?? status.refusal);
    },
  });
  stream.open();
}

function stop(): void {
  stream?.close();
  stream = null;
  status.phase = 'idle';
  townships.value = [];
  institutions.value = [];
  cameras.value = [];
  states.value = new Map();
  motion.clear();
}

const cameraById = computed(() => new Map(cameras.value.map((camera) => [camera.id, camera])));
const tree = computed<Tree>(() =>
  buildTree(townships.value, institutions.value, cameras.value, states.value),
);

export const district = {
  status,
  townships,
  institutions,
  cameras,
  states,
  /** Cameras with motion going on right now. */
  motion,
  tree,
  camera: (id: string) => cameraById.value.get(id),
  state: (id: string) => states.value.get(id),
  start,
  stop,
  reload,
  onMotion(listener: (event: MotionEvent) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  onVolume(listener: (volume: VolumeNews) => void): () => void {
    volumeListeners.add(listener);
    return () => volumeListeners.delete(listener);
  },
  onCatalogue(listener: (health: CatalogueHealth) => void): () => void {
    catalogueListeners.add(listener);
    return () => catalogueListeners.delete(listener);
  },
};
