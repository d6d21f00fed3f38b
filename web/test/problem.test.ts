// Every reason that the server names by a code has its sentence in both languages, and says what the
// server knows.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import 'vue-i18n'; // before there is something like a document
import { parse } from 'yaml';
import type { ProblemCode } from '@/api/schema';
import en from '@/i18n/en';
import zhCN from '@/i18n/zh-CN';

const LAYERS = ['base', 'net', 'media', 'ingest', 'analysis', 'storage', 'delivery', 'server'];
const CALL = /\b(?:err_say|import_complain)\(/g;
// code and format of err_say(err, number, "code", "format") and import_complain(import, line, column, "code", "format")
const ARGUMENTS =
  /\b(?:err_say\([^,"]+,[^,"]+|import_complain\([^,"]+,[^,"]+,[^,]+),\s*"(\w+)",\s*((?:"(?:[^"\\]|\\.)*"\s*|[A-Z_]+\s*)+)/g;

interface Reason {
  file: string;
  code: string;
  n: number;
}

function reasonsOf(file: string): Reason[] {
  const text = readFileSync(file, 'utf8').replace(
    /^(?:static )?(?:void|int) \w+\([^;{]*[;{]/gm,
    '',
  );
  const found = [...text.matchAll(ARGUMENTS)].map(([, code = '', format = '']) => ({
    file,
    code,
    n: (format.replaceAll('%%', '').match(/%/g) ?? []).length,
  }));
  expect(found.length, `${file}: the code must be a literal`).toBe([...text.matchAll(CALL)].length);
  return found;
}

const reasons = LAYERS.flatMap((layer) =>
  readdirSync(`../${layer}`)
    .filter((name) => name.endsWith('.c'))
    .flatMap((name) => reasonsOf(`../${layer}/${name}`)),
);
const codes = [...new Set(reasons.map((reason) => reason.code))].sort();

describe('codes of the server', () => {
  it('are all found', () => {
    expect(reasons.length).toBeGreaterThan(90);
  });

  it.each([
    ['Chinese', zhCN.problem],
    ['English', en.problem],
  ])('have a sentence in %s, and no sentence is left over', (_, sentences) => {
    expect(Object.keys(sentences).sort()).toEqual(codes);
  });

  it('stand in the description of the API', () => {
    const document = parse(readFileSync('../docs/openapi.yaml', 'utf8'));
    expect(document.components.schemas.ProblemCode.enum).toEqual(codes);
  });

  it('come with every value that their sentence tells', () => {
    for (const { file, code, n } of reasons) {
      const sentence = (zhCN.problem as Record<string, string>)[code] ?? '';
      for (const [, i] of sentence.matchAll(/\{(\d)\}/g))
        expect(Number(i), `${file}: ${code}`).toBeLessThan(Math.min(n, 4));
    }
  });
});

describe('a refusal', () => {
  let say: typeof import('@/ui/problem');
  let setLanguage: (language: 'zh-CN' | 'en') => void;

  beforeAll(async () => {
    vi.stubGlobal('localStorage', { getItem: () => 'zh-CN', setItem: () => undefined });
    vi.stubGlobal('document', { documentElement: {} });
    say = await import('@/ui/problem');
    ({ setLanguage } = await import('@/i18n'));
  });
  afterAll(() => vi.unstubAllGlobals());

  it('is said in the language of the page, with its values', () => {
    const refusal = { code: 'exists' as const, params: ['camera', 'gate {1} @:x'], detail: 'no' };
    expect(say.sayRefusal(409, refusal)).toBe('摄像机“gate {1} @:x”已经存在，请换一个。');
    const late = { code: 'field_time' as const, params: ['from'] };
    expect(say.sayRefusal(422, late)).toBe('开始时间不是有效的时间。');
    setLanguage('en');
    expect(say.sayRefusal(422, late)).toBe('The beginning is not a valid time.');
    setLanguage('zh-CN');
  });

  it('is said as far as possible when its code is unknown or missing', () => {
    const code = 'from_the_future' as ProblemCode;
    expect(say.sayReason({ code })).toBeNull();
    expect(say.sayRefusal(409, { code, detail: 'two moons' })).toBe(
      '与现有内容冲突。服务器的说明：two moons',
    );
    expect(say.sayRefusal(418, {})).toBe('请求失败（418）。');
  });
});
