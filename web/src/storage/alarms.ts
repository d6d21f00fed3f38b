// What is in trouble, for the bar on every page: disks and the catalogue. Asked for once, then told by the event stream.

import { computed, shallowRef, watch } from 'vue';
import { may, session } from '@/accounts/session';
import { api } from '@/api/client';
import type { CatalogueHealth, Storage, System } from '@/api/schema';
import { district } from '@/district/district';
import { levelOfVolume, type Volume } from './volumes';

type Known = Pick<Volume, 'path' | 'state'>;
const volumes = shallowRef<readonly Known[]>([]);
const catalogue = shallowRef<CatalogueHealth['state']>('ok');

async function load(): Promise<void> {
  if (!may('manage_system')) {
    volumes.value = [];
    catalogue.value = 'ok';
    return;
  }
  // what cannot be had now keeps what is known: a damaged catalogue may have no answer about volumes
  const [storage, system] = await Promise.allSettled([
    api.get<Storage>('/storage'),
    api.get<System>('/system'),
  ]);
  if (storage.status === 'fulfilled') volumes.value = storage.value.volumes;
  if (system.status === 'fulfilled') catalogue.value = system.value.catalogue.state;
}

district.onVolume((news) => {
  volumes.value = [...volumes.value.filter(({ path }) => path !== news.path), news];
});
district.onCatalogue((news) => {
  catalogue.value = news.state;
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

/** Key under `bar.catalogue.`; null = the catalogue is well. */
export const catalogueAlarm = computed(() => (catalogue.value === 'ok' ? null : catalogue.value));
