// Pure: what of the district the institutions page shows for a search and a filter.

import type { InstitutionNode, TownshipNode, Tree } from './tree';

function matches(words: string[], ...texts: string[]): boolean {
  const text = texts.join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

export function listTownships(tree: Tree, search: string, onlyActing: boolean): TownshipNode[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const isFiltered = words.length > 0 || onlyActing;
  if (!isFiltered) return tree.townships;
  const out: TownshipNode[] = [];
  for (const town of tree.townships) {
    const houses: InstitutionNode[] = [];
    for (const house of town.institutions) {
      const { institution } = house;
      const above = [town.township.name, institution.name, institution.id, institution.external_id];
      const cameras = house.cameras.filter(
        ({ camera, level }) =>
          (!onlyActing || level === 'act') &&
          matches(words, ...above, camera.name, camera.area, camera.id, camera.main_url),
      );
      const isWhole = !onlyActing && words.length > 0 && matches(words, ...above);
      if (cameras.length > 0 || isWhole) houses.push({ ...house, cameras });
    }
    const isWhole = !onlyActing && matches(words, town.township.name);
    if (houses.length > 0 || isWhole) out.push({ ...town, institutions: houses });
  }
  return out;
}
