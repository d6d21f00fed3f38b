// Sentences that several pages need: durations, causes, "what happened, and what happens next".

import { useI18n } from 'vue-i18n';
import { durationParts } from './time';

export function useWords() {
  const { t, te, locale } = useI18n();

  const duration = (seconds: number) =>
    durationParts(seconds)
      .map(([n, unit]) => t(`unit.${unit}`, { n }))
      .join(' ');

  const cause = (code: string) => (te(`cause.${code}`) ? t(`cause.${code}`) : code);

  const sentence = (code: string) => (te(`sentence.${code}`) ? t(`sentence.${code}`) : cause(code));

  const join = (...parts: string[]) => parts.join(locale.value === 'zh-CN' ? '，' : '; ');

  return { duration, cause, sentence, join };
}
