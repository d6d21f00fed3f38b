import { ref } from 'vue';

export type Theme = 'dark' | 'light';
const KEY = 'rookery.theme';

export const theme = ref<Theme>(localStorage.getItem(KEY) === 'light' ? 'light' : 'dark');

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.value;
}

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark';
  localStorage.setItem(KEY, theme.value);
  applyTheme();
}
