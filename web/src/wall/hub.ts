// The page's connection to the wall protocol, and the injection by which tiles find it.

import type { InjectionKey } from 'vue';
import { api, apiUrl, learnServerTime } from '@/api/client';
import type { DecoderPreference } from '@/player/decoder';
import { TileHub } from '@/player/tile-hub';

export const hubKey: InjectionKey<TileHub> = Symbol('tile hub');

/** `?player=mse` or `webcodecs` forces one path, for support and for tests. */
function preference(): DecoderPreference {
  const asked =
    new URLSearchParams(location.search).get('player') ?? localStorage.getItem('rookery.player');
  return asked === 'mse' || asked === 'webcodecs' ? asked : 'auto';
}

export function createHub(): TileHub {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const hub = new TileHub({
    url: `${scheme}://${location.host}${apiUrl('/wall')}`,
    preference: preference(),
    snapshotUrl: (camera, atMs) =>
      apiUrl(`/cameras/${camera}/snapshot.jpg`, {
        width: 1280,
        at: atMs === null ? null : new Date(atMs).toISOString(),
        t: Date.now(),
      }),
  });
  hub.onStatus = (status) => {
    if (status === 'open') learnServerTime(Date.now() + hub.wall.serverOffsetMs);
    // A refused upgrade looks like any lost connection; an ordinary request tells whether we are signed out.
    if (status === 'waiting') void api.get('/me').catch(() => undefined);
  };
  return hub;
}
