// How many disks are in trouble, for the bar on every page: asked for once, then told by the event stream.

import { computed, shallowRef, watch } from 'vue';
import { may, session } from '@/accounts/session';
import { api } from '@/api/client';
import type { Storage } from '@/api/schema';
import { district } from '@/district/district';
import { levelOfVolume, type Volume } from './volumes';

type Known = Pick<Volume, 'path' | 'state'>;
const volumes = shallowRef<readonly Known[]>([]);

async function load(): Promise<void> {
  if (!may('manage_system')) {
    volumes.value = [];
    return;
  }
  try {
    volumes.value = (await api.get<Storage>('/storage')).volumes;
  } catch {
    // the storage page says what is wrong
  }
}

district.onVolume((news) => {
  volumes.value = [...volumes.value.filter(({ path }) => path !== news.path), news];
});

// what changed while there was no connection, or nobody was signed in, no event tells
watch(
  () => [session.user?.name, district.status.isConnected],
  ([user, isConnected]) => {
    if (user && isConnected) void load();
  },
  { immediate: true },
);

/** Disks with a state that somebody should look at, and how bad the worst of them is. */
export const diskAlarm = computed(() => {
  const levels = volumes.value.map(levelOfVolume).filter((level) => level !== 'ok');
  return { n: levels.length, isBad: levels.includes('act') };
});
