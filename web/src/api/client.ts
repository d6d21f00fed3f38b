// The one way to the server's HTTP API: JSON in and out, problem+json as ApiError, CSRF token, paging.

import type { ImportProblem, Problem } from './schema';

const BASE = '/api/v1';
const PAGE_LIMIT = 5000;
const PAGES_MOST = 100;

/** What the server said was wrong; empty when it was not the server that answered. */
export type Refusal = Partial<Problem & ImportProblem>;

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 = the server did not answer. */
    readonly status: number,
    readonly problem: Refusal = {},
  ) {
    super(problem.detail ?? problem.title ?? `status ${status}`);
  }
}

type QueryValue = string | number | boolean | null | undefined;
export type Query = Record<string, QueryValue>;

export interface RequestOptions {
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, with its type. */
  raw?: { body: BodyInit; type: string };
  signal?: AbortSignal;
}

let csrfToken = '';
let unauthorized: () => void = () => undefined;
let serverOffsetMs = 0;

export function setCsrfToken(token: string | null): void {
  csrfToken = token ?? '';
}

/** Called when the server no longer knows the session. */
export function onUnauthorized(callback: () => void): void {
  unauthorized = callback;
}

/** Server clock minus ours. */
export function clockOffsetMs(): number {
  return serverOffsetMs;
}

export function learnServerTime(serverMs: number): void {
  if (Number.isFinite(serverMs)) serverOffsetMs = serverMs - Date.now();
}

export function apiUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return `${BASE}${path}${text ? `?${text}` : ''}`;
}

/** The error that an answer is. Without a problem document (a proxy in between) the status line has to do. */
export async function errorOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as Refusal | null;
  return new ApiError(response.status, problem ?? { title: response.statusText });
}

async function send(method: string, path: string, options: RequestOptions): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json, application/problem+json' };
  if (method !== 'GET' && csrfToken) headers['X-CSRF-Token'] = csrfToken;
  let body: BodyInit | undefined;
  if (options.raw) {
    headers['Content-Type'] = options.raw.type;
    body = options.raw.body;
  } else if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(apiUrl(path, options.query), {
      method,
      headers,
      body,
      signal: options.signal,
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0);
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (response.status === 401 && path !== '/session') unauthorized();
  throw error;
}

async function json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const response = await send(method, path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** Why the server refuses to begin an answer that has no end; null when it begins. */
export async function refusalOf(path: string): Promise<ApiError | null> {
  const abort = new AbortController();
  try {
    await send('GET', path, { signal: abort.signal });
    return null;
  } catch (error) {
    return error instanceof ApiError ? error : null;
  } finally {
    abort.abort();
  }
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) =>
    json<T>('GET', path, { query, signal }),
  post: <T>(path: string, body?: unknown, query?: Query) => json<T>('POST', path, { body, query }),
  put: <T>(path: string, body: unknown) => json<T>('PUT', path, { body }),
  patch: <T>(path: string, body: unknown) => json<T>('PATCH', path, { body }),
  delete: <T = undefined>(path: string, body?: unknown) => json<T>('DELETE', path, { body }),
  send: <T>(method: string, path: string, options: RequestOptions) =>
    json<T>(method, path, options),

  /** Every page of a list. */
  async all<T>(path: string, query: Query = {}): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < PAGES_MOST; page++) {
      const answer: { items: T[]; next: string | null } = await json('GET', path, {
        query: { ...query, limit: PAGE_LIMIT, cursor },
      });
      items.push(...answer.items);
      cursor = answer.next ?? null;
      if (!cursor) break;
    }
    return items;
  },
};
