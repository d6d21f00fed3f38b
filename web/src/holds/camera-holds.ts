// The holds in force of the camera that is looked at.

import { shallowRef, watch, type Ref } from 'vue';
import { may } from '@/accounts/session';
import { api } from '@/api/client';
import type { Hold } from '@/api/schema';

/** Empty while they load, and when they cannot be had: the recording itself matters more. */
export function useCameraHolds(cameraId: Ref<string | null>) {
  const holds = shallowRef<Hold[]>([]);

  async function reload(): Promise<void> {
    const camera = cameraId.value;
    if (!camera || !may('view_recorded')) return;
    try {
      const items = await api.all<Hold>('/holds', { camera, active: true });
      if (camera === cameraId.value) holds.value = items;
    } catch {
      // the list of holds tells it when it is opened
    }
  }

  watch(
    cameraId,
    () => {
      holds.value = [];
      void reload();
    },
    { immediate: true },
  );
  return { holds, reload };
}
