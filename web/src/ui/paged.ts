// Long lists, shown page by page: those the server gives in pages, and those that are here as a whole.

import { computed, reactive, ref, shallowRef, watch, type WatchSource } from 'vue';
import { notifyError } from './notify';

/** What ListState and ListView show. */
export interface List<T = unknown> {
  /** null until the first answer. */
  items: T[] | null;
  /** Shown instead of the items. */
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly hasMore: boolean;
  /** Asks anew, from the first page: the question has changed, or somebody tries again. */
  reload: () => unknown;
  more: () => unknown;
}

export interface Page<T> {
  items: T[];
  next?: string | null;
}

/** Pages of the server. An answer to an older question is dropped. */
export function usePaged<T>(ask: (cursor: string | null) => Promise<Page<T>>) {
  const items = shallowRef<T[] | null>(null);
  const next = ref<string | null>(null);
  const error = shallowRef<unknown>(null);
  const isLoading = ref(false);
  let serial = 0;
  let nPages = 0;

  /** What fails behind something that is still true is a message only. */
  async function load(cursor: string | null, isTrueStill: boolean): Promise<void> {
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
      if (isTrueStill && items.value && !error.value) notifyError(problem);
      else error.value = problem;
    } finally {
      if (mine === serial) isLoading.value = false;
    }
  }

  return reactive({
    items,
    error,
    isLoading,
    hasMore: computed(() => next.value !== null),
    reload: () => load(null, false),
    more: () => load(next.value, true),
    /** Reloads, unless somebody opened further pages: those would be gone. */
    refresh: async () => {
      if (nPages <= 1) await load(null, true);
    },
  });
}

/** Pages of what is here already; from the first one again when something of `restart` changes. */
export function useSliced<T>(
  source: () => { all: T[] | null; error: unknown; reload: () => unknown },
  size: number,
  restart: WatchSource[],
) {
  const n = ref(size);
  watch(restart, () => (n.value = size));
  const length = computed(() => source().all?.length ?? 0);
  return reactive({
    items: computed(() => source().all?.slice(0, n.value) ?? null),
    error: computed(() => (source().all ? null : source().error)),
    isLoading: false,
    hasMore: computed(() => length.value > n.value),
    nLeft: computed(() => Math.max(0, length.value - n.value)),
    reload: () => source().reload(),
    more: () => (n.value += size),
  });
}
