// The district's clock: the server's time, ticking once a second for everything that shows it.

import { ref } from 'vue';
import { clockOffsetMs } from '@/api/client';

export function serverNow(): number {
  return Date.now() + clockOffsetMs();
}

const nowMs = ref(serverNow());

function tick(): void {
  nowMs.value = serverNow();
  setTimeout(tick, 1000 - (nowMs.value % 1000) + 5);
}
tick();

/** Server time in milliseconds, refreshed at every full second. */
export const now = nowMs;
