// Patrol: shows one institution after the other, and gives the old wall back when it ends.

import { computed, onBeforeUnmount, ref } from 'vue';
import { patrolPages, planOf, type WallPlan } from './wall-model';

export function usePatrol(
  groups: () => string[][],
  plan: () => WallPlan,
  show: (plan: WallPlan) => void,
) {
  const seconds = ref<number | null>(null);
  const page = ref(0);
  const pages = ref<string[][]>([]);
  let before: WallPlan | null = null;
  let timer: ReturnType<typeof setInterval> | null = null;

  function showPage(): void {
    show(planOf(plan().layout, pages.value[page.value] ?? []));
  }

  function next(): void {
    pages.value = patrolPages(groups(), plan().layout);
    if (pages.value.length === 0) return stop();
    page.value = (page.value + 1) % pages.value.length;
    showPage();
  }

  function stop(): void {
    if (timer) clearInterval(timer);
    timer = null;
    seconds.value = null;
    if (before) show(before);
    before = null;
  }

  function start(every: number): void {
    if (timer) clearInterval(timer);
    before ??= plan();
    seconds.value = every;
    page.value = -1;
    timer = setInterval(next, every * 1000);
    next();
  }

  onBeforeUnmount(() => {
    if (timer) clearInterval(timer);
  });

  const state = computed(() =>
    seconds.value === null
      ? null
      : { seconds: seconds.value, page: page.value, pages: pages.value.length },
  );
  /** While patrolling the wall is not the person's own and is not remembered. */
  return { state, set: (every: number | null) => (every ? start(every) : stop()), stop };
}
