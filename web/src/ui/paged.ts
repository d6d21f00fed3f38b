// A list that the server gives page by page. An answer to an older question is dropped; what fails when something is
// shown already is a message only.

import { ref, shallowRef } from 'vue';
import { notifyError } from './notify';

export interface Page<T> {
  items: T[];
  next?: string | null;
}

export function usePaged<T>(ask: (cursor: string | null) => Promise<Page<T>>) {
  /** null until the first answer. */
  const items = shallowRef<T[] | null>(null);
  const next = ref<string | null>(null);
  const error = shallowRef<unknown>(null);
  const isLoading = ref(false);
  let serial = 0;
  let nPages = 0;

  async function load(cursor: string | null): Promise<void> {
    const mine = ++serial;
    isLoading.value = true;
    try {
      const answer = await ask(cursor);
      if (mine !== serial) return;
      items.value = cursor ? [...(items.value ?? []), ...answer.items] : answer.items;
      next.value = answer.next ?? null;
      error.value = null;
      nPages = cursor ? nPages + 1 : 1;
    } catch (problem) {
      if (mine !== serial) return;
      if (items.value) notifyError(problem);
      else error.value = problem;
    } finally {
      if (mine === serial) isLoading.value = false;
    }
  }

  return {
    items,
    next,
    error,
    isLoading,
    reload: () => load(null),
    more: () => load(next.value),
    /** Reloads, unless somebody opened further pages: those would be gone. */
    refresh: async () => {
      if (nPages <= 1) await load(null);
    },
  };
}
