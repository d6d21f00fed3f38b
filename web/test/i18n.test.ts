import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Source } from '@/district/source';
import en from '@/i18n/en';
import zhCN from '@/i18n/zh-CN';
import { sentenceKey } from '@/ui/words';

type Tree = { [key: string]: string | Tree };

function flat(tree: Tree, prefix = ''): Map<string, string> {
  const out = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') out.set(prefix + key, value);
    else for (const [name, text] of flat(value, `${prefix}${key}.`)) out.set(name, text);
  }
  return out;
}

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'i18n' ? [] : sources(path);
    return /\.(vue|ts)$/.test(entry.name) ? [readFileSync(path, 'utf8')] : [];
  });
}

const chinese = flat(zhCN);
const english = flat(en);
const code = sources('src').join('\n');
const placeholders = (text: string) =>
  [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe('languages', () => {
  it('have the same keys', () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort());
  });

  it('leave nothing empty and use the same placeholders', () => {
    for (const [key, text] of chinese) {
      expect(text, key).not.toBe('');
      expect(placeholders(english.get(key) ?? ''), key).toEqual(placeholders(text));
    }
  });

  it('hold every key that the code names', () => {
    const named = [...code.matchAll(/\bt\(\s*'([\w.]+)'/g)].map(([, key]) => key ?? '');
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((key) => !chinese.has(key))).toEqual([]);
  });

  it('hold no key that nobody uses', () => {
    const families = [...code.matchAll(/[`']([\w.]+\.)\$\{/g)].map(([, prefix]) => prefix ?? '');
    const unused = [...chinese.keys()].filter(
      (key) =>
        !code.includes(`'${key}'`) &&
        !families.some((prefix) => key.startsWith(prefix)) &&
        !code.includes(`\`${key}\``),
    );
    expect(unused).toEqual([]);
  });

  it('have sentences that are true of each source', () => {
    for (const texts of [chinese, english]) {
      const of = (source: Source) =>
        texts.get(sentenceKey('unreachable', source, (k) => texts.has(k)));
      expect(new Set([of('pull'), of('push'), of('foreign')]).size).toBe(3);
      expect(sentenceKey('auth', 'push', (k) => texts.has(k))).toBe('sentence.auth');
      for (const key of texts.keys()) {
        const code = /^sentenceOf\.\w+\.(\w+)$/.exec(key)?.[1];
        if (code) expect(texts.has(`sentence.${code}`), key).toBe(true);
      }
    }
  });

  it('have no text in templates outside the languages', () => {
    const chineseInCode = [...code.matchAll(/[\u4e00-\u9fff]+/g)].map(([text]) => text);
    // the example line of the import template and a place where Chinese names Chinese
    const allowed = new Set(['城桥镇', '小海豚托育园', '活动室', '一楼活动室']);
    expect(chineseInCode.filter((text) => !allowed.has(text))).toEqual([]);
  });
});
