// Cameras whose encoder pushes: the address that means it, the key, and what to enter into the encoder.

/** As a stream's address: not pulled, its encoder connects to us. */
export const PUSH_URL = 'push:';

export const isPushed = (url: string): boolean => url.trim() === PUSH_URL;

/** 144 random bits in characters that need no encoding in an address. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, '-')
    .replace(/\//g, '_');
}

export interface PushTarget {
  host: string;
  port: number;
  /** Empty while the camera has none. */
  id: string;
  stream: 'main' | 'sub';
}

/** Where the encoder pushes to; with a key for those that cannot log in. */
export function pushAddress(of: PushTarget, key?: string): string {
  const host = of.host.includes(':') && !of.host.startsWith('[') ? `[${of.host}]` : of.host;
  const path = `${of.id || '…'}${of.stream === 'sub' ? '/sub' : ''}`;
  const query = key === undefined ? '' : `?key=${encodeURIComponent(key)}`;
  return `rtsp://${host}:${of.port}/${path}${query}`;
}
