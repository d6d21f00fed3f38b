// Walls saved under a name at the server, for everyone who may see them.

import { ref } from 'vue';
import { useI18n } from 'vue-i18n';
import { api } from '@/api/client';
import type { ListWallsAnswer, Wall } from '@/api/schema';
import { askText, confirmDelete } from '@/ui/confirm';
import { notifyDone, notifyError } from '@/ui/notify';
import type { WallPlan } from './wall-model';

const contentOf = (plan: WallPlan) => ({
  layout: plan.layout,
  tiles: plan.tiles.slice(0, plan.layout),
});

export function useSavedWalls(plan: () => WallPlan) {
  const { t } = useI18n();
  const walls = ref<Wall[]>([]);
  const current = ref<Wall | null>(null);

  async function load(): Promise<void> {
    walls.value = (await api.get<ListWallsAnswer>('/walls')).items;
  }

  async function attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
      await load();
    } catch (error) {
      notifyError(error);
    }
  }

  async function saveAs(): Promise<void> {
    const name = await askText(t('wall.saveName'), '');
    if (!name) return;
    await attempt(async () => {
      current.value = await api.post<Wall>('/walls', { name, ...contentOf(plan()) });
      notifyDone(t('wall.savedDone', { name }));
    });
  }

  const saveOver = (wall: Wall) =>
    attempt(async () => {
      const content = { name: wall.name, ...contentOf(plan()) };
      current.value = await api.put<Wall>(`/walls/${wall.id}`, content);
      notifyDone(t('wall.savedDone', { name: wall.name }));
    });

  async function rename(wall: Wall): Promise<void> {
    const name = await askText(t('wall.saveName'), wall.name);
    if (!name || name === wall.name) return;
    const { layout, tiles } = wall;
    await attempt(async () => {
      current.value = await api.put<Wall>(`/walls/${wall.id}`, { name, layout, tiles });
    });
  }

  async function remove(wall: Wall): Promise<void> {
    if (!(await confirmDelete(t('wall.deleteAsk', { name: wall.name })))) return;
    await attempt(async () => {
      await api.delete(`/walls/${wall.id}`);
      current.value = null;
    });
  }

  return { walls, current, load, saveAs, saveOver, rename, remove };
}
