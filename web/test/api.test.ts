import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { api, ApiError, apiUrl, onUnauthorized, refusalOf, setCsrfToken } from '@/api/client';

function answerWith(status: number, body: unknown, headers: Record<string, string> = {}) {
  const fetched = vi.fn(
    async (_url: string, _init: RequestInit) =>
      new Response(status === 204 ? null : JSON.stringify(body), { status, headers }),
  );
  vi.stubGlobal('fetch', fetched);
  return fetched;
}

afterEach(() => vi.unstubAllGlobals());

describe('api client', () => {
  it('leaves empty parameters out', () => {
    expect(apiUrl('/events', { node: '', from: null, limit: 5, x: undefined })).toBe(
      '/api/v1/events?limit=5',
    );
  });

  it('sends the CSRF token with what changes something, and only then', async () => {
    const fetched = answerWith(200, { items: [], next: null });
    setCsrfToken('secret');
    await api.get('/walls');
    await api.post('/walls', {});
    const headers = fetched.mock.calls.map(([, init]) => init.headers as Record<string, string>);
    expect(headers[0]).not.toHaveProperty('X-CSRF-Token');
    expect(headers[1]).toMatchObject({ 'X-CSRF-Token': 'secret' });
  });

  it('turns problem documents into errors with their detail', async () => {
    const errors = [{ line: 7, column: 'main_url', reason: 'no address' }];
    answerWith(422, { detail: 'one line is wrong', errors });
    const error = await api.post('/import').catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({
      status: 422,
      message: 'one line is wrong',
      problem: { errors },
    });
  });

  it('learns why an endless answer is refused, and does not wait for one that begins', async () => {
    answerWith(503, { code: 'pages_many', params: ['1000'] });
    expect(await refusalOf('/events/stream')).toMatchObject({
      status: 503,
      problem: { code: 'pages_many' },
    });
    const fetched = answerWith(200, {});
    expect(await refusalOf('/events/stream')).toBeNull();
    expect(fetched.mock.calls[0]?.[1].signal?.aborted).toBe(true);
  });

  it('says that the server is not there', async () => {
    vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('failed')));
    await expect(api.get('/me')).rejects.toMatchObject({ status: 0 });
  });

  it('reports a lost session, but not a wrong password', async () => {
    const lost = vi.fn();
    onUnauthorized(lost);
    answerWith(401, { detail: 'no' });
    await api.post('/session', {}).catch(() => undefined);
    expect(lost).not.toHaveBeenCalled();
    await api.get('/me').catch(() => undefined);
    expect(lost).toHaveBeenCalledOnce();
  });

  it('reads lists to their end', async () => {
    const pages = [
      { items: [1, 2], next: 'c' },
      { items: [3], next: null },
    ];
    const fetched = vi.fn(async (_url: string) => new Response(JSON.stringify(pages.shift())));
    vi.stubGlobal('fetch', fetched);
    expect(await api.all<number>('/cameras')).toEqual([1, 2, 3]);
    expect(fetched.mock.calls[1]?.[0]).toContain('cursor=c');
  });

  it('has types that match docs/openapi.yaml', () => {
    const script = 'scripts/openapi-types.mjs';
    const run = spawnSync('node', [script, '../docs/openapi.yaml', 'src/api/schema.ts', '--check']);
    expect(run.stderr.toString()).toBe('');
    expect(run.status).toBe(0);
  });
});
