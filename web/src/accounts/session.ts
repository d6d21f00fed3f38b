// Who is signed in. The cookie is the browser's business; here are the name, the rights and the CSRF token.

import { computed, reactive } from 'vue';
import { api, ApiError, onUnauthorized, setCsrfToken } from '@/api/client';
import type { Permission, Session } from '@/api/schema';

interface SessionState {
  user: Session['user'] | null;
  timeZone: string;
  /** Where encoders push to; null = the server takes no pushes. */
  pushPort: number | null;
  /** Why the person sees the sign-in page, when it was not their wish. */
  endedByServer: boolean;
}

const state = reactive<SessionState>({
  user: null,
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone || 'Asia/Shanghai',
  pushPort: null,
  endedByServer: false,
});

let restoring: Promise<void> | null = null;
let ended: () => void = () => undefined;

function validZone(zone: string | undefined): string | null {
  if (!zone) return null;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return zone;
  } catch {
    return null;
  }
}

function accept(session: Session): void {
  state.user = session.user;
  state.timeZone = validZone(session.time_zone) ?? state.timeZone;
  state.pushPort = session.push_port ?? null;
  state.endedByServer = false;
  setCsrfToken(session.csrf);
}

function forget(): void {
  state.user = null;
  setCsrfToken(null);
}

onUnauthorized(() => {
  const wasSignedIn = state.user !== null;
  forget();
  if (!wasSignedIn) return;
  state.endedByServer = true;
  ended();
});

export const session = state;
export const zone = computed(() => state.timeZone);

export function may(permission: Permission): boolean {
  return state.user?.permissions.includes(permission) ?? false;
}

/** What to do when the server ends the session (the router goes to sign-in). */
export function onSessionEnd(callback: () => void): void {
  ended = callback;
}

/** After a reload: asks who the cookie belongs to. Resolves in any case. */
export function restoreSession(): Promise<void> {
  restoring ??= api
    .get<Session>('/me')
    .then(accept)
    .catch((error: unknown) => {
      if (!(error instanceof ApiError)) throw error;
    });
  return restoring;
}

export async function signIn(username: string, password: string): Promise<void> {
  accept(await api.post<Session>('/session', { username, password }));
}

export async function signOut(): Promise<void> {
  try {
    await api.delete('/session');
  } finally {
    forget();
  }
}
