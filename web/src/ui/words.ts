// Sentences that several pages need: durations, causes, "what happened, and what happens next".

import { useI18n } from 'vue-i18n';
import type { Source } from '@/district/source';
import { durationParts } from './time';

/** The sentence for a cause; of some sources another thing is true than of a camera that is asked. */
export function sentenceKey(code: string, source: Source, has: (key: string) => boolean): string {
  const own = `sentenceOf.${source}.${code}`;
  return has(own) ? own : `sentence.${code}`;
}

export function useWords() {
  const { t, te, locale } = useI18n();

  const duration = (seconds: number) =>
    durationParts(seconds)
      .map(([n, unit]) => t(`unit.${unit}`, { n }))
      .join(' ');

  const cause = (code: string) => (te(`cause.${code}`) ? t(`cause.${code}`) : code);

  const sentence = (code: string, source: Source) => {
    const key = sentenceKey(code, source, te);
    return te(key) ? t(key) : cause(code);
  };

  const join = (...parts: string[]) => parts.join(locale.value === 'zh-CN' ? '，' : '; ');

  return { duration, cause, sentence, join };
}
