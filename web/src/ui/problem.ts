// What the server refused, as a sentence in the reader's language: the problem document carries a
// code and the concrete values, the languages have the sentences.

import type { Refusal } from '@/api/client';
import type { ProblemCode } from '@/api/schema';
import { i18n } from '@/i18n';

type Reason = { code?: ProblemCode; params?: string[] };

/** Where the name stands of a first value that is itself a word of the API. */
function nameKeys(code: ProblemCode, word: string): string[] {
  if (code.startsWith('field_')) return [`problemField.${word}`, `district.field.${word}`];
  if (code === 'unknown_thing' || code === 'exists') return [`problemThing.${word}`];
  if (code === 'sub_needed') return [`district.recordOf.${word}`];
  if (code === 'role_forbids') return [`role.${word}`];
  return [];
}

function nameOf(code: ProblemCode, word: string): string {
  const { t, te } = i18n.global;
  const key = nameKeys(code, word).find((one) => te(one));
  return key ? t(key) : word;
}

/** null when the server gave no code, or one that this page does not know yet. */
export function sayReason({ code, params = [] }: Reason): string | null {
  const { t, te } = i18n.global;
  if (!code || !te(`problem.${code}`)) return null;
  const [first, ...others] = params;
  return t(`problem.${code}`, first === undefined ? [] : [nameOf(code, first), ...others]);
}

/** Never empty: without a sentence of its own, one for the status and the server's words. */
export function sayRefusal(status: number, refusal: Refusal): string {
  const { t, te } = i18n.global;
  const said = sayReason(refusal);
  if (said !== null) return said;
  const key = te(`problemOf.${status}`) ? `problemOf.${status}` : 'problemOf.other';
  const sentence = t(key, { status });
  const detail = refusal.detail ?? refusal.title;
  return detail ? t('problemOf.words', { sentence, detail }) : sentence;
}
