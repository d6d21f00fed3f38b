// Loads again and again while the page is looked at; a page in the background asks for nothing.

import { onBeforeUnmount } from 'vue';

/** Calls load at once, then everyMs after each answer. The function returned asks for it right now. */
export function useRefresh(load: () => Promise<void>, everyMs: number): () => Promise<void> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isGone = false;

  async function run(): Promise<void> {
    if (timer) clearTimeout(timer);
    timer = null;
    await load();
    if (timer) clearTimeout(timer);
    timer = isGone || document.hidden ? null : setTimeout(() => void run(), everyMs);
  }

  function seen(): void {
    if (!document.hidden && timer === null) void run();
  }

  document.addEventListener('visibilitychange', seen);
  onBeforeUnmount(() => {
    isGone = true;
    if (timer) clearTimeout(timer);
    document.removeEventListener('visibilitychange', seen);
  });
  void run();
  return run;
}
