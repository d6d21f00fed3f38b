import { createI18n } from 'vue-i18n';
import en from './en';
import zhCN from './zh-CN';

export type Language = 'zh-CN' | 'en';
const KEY = 'rookery.language';

function remembered(): Language {
  const saved = localStorage.getItem(KEY);
  if (saved === 'zh-CN' || saved === 'en') return saved;
  return navigator.language.toLowerCase().startsWith('en') ? 'en' : 'zh-CN';
}

export const i18n = createI18n({
  legacy: false,
  locale: remembered(),
  fallbackLocale: 'zh-CN',
  messages: { 'zh-CN': zhCN, en },
});

export function language(): Language {
  return i18n.global.locale.value as Language;
}

export function setLanguage(next: Language): void {
  i18n.global.locale.value = next;
  localStorage.setItem(KEY, next);
  document.documentElement.lang = next;
}

document.documentElement.lang = language();
