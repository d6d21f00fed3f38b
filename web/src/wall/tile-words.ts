// What a tile says about itself, in one sentence: what happened, and what happens next.

import { useI18n } from 'vue-i18n';
import type { TileInfo } from '@/player/tile-player';
import type { Source } from '@/district/source';
import type { Level } from '@/district/tree';
import { useWords } from '@/ui/words';

export interface TileWords {
  title: string;
  text: string;
  level: Level;
}

const PATIENCE_MS = 4000;

/** Causes after which nothing is tried again by itself. */
const FINAL = new Set(['disabled']);

export function levelOfTile(info: TileInfo): Level {
  switch (info.status) {
    case 'playing':
      return 'ok';
    case 'stalled':
    case 'error':
      return 'act';
    case 'snapshot':
      return 'look';
    case 'connecting':
      return 'connecting';
    default:
      return 'off';
  }
}

export function useTileWords() {
  const { t, te } = useI18n();
  const { sentence, join, duration } = useWords();

  function nextStep(atMs: number, nowMs: number, inKey: string, nowKey: string): string {
    const seconds = Math.ceil((atMs - nowMs) / 1000);
    return seconds > 0 ? t(inKey, { n: seconds }) : t(nowKey);
  }

  function stalledText(
    info: TileInfo,
    source: Source,
    wallRetryAtMs: number,
    nowMs: number,
  ): string {
    if (info.isServerLost) {
      const next = nextStep(wallRetryAtMs, nowMs, 'sentence.reconnectIn', 'sentence.reconnecting');
      return join(t('sentence.server'), next);
    }
    const isUnblamed = info.cause === '' || info.cause === 'ok';
    if (isUnblamed && info.isArriving) return t('sentence.slow');
    const what = sentence(info.cause || 'ok', source);
    if (FINAL.has(info.cause)) return what;
    if (info.retryAtMs > 0)
      return join(what, nextStep(info.retryAtMs, nowMs, 'sentence.retryIn', 'sentence.retrying'));
    return join(what, t('sentence.waiting'));
  }

  /** Waiting for the first picture is no fault yet, but after a while one wants to know for what. */
  function waitingText(info: TileInfo, source: Source, nowMs: number): string {
    const isUnblamed = info.cause === '' || info.cause === 'ok';
    if (isUnblamed) return t(info.isArriving ? 'sentence.slow' : 'sentence.ok');
    const what = sentence(info.cause, source);
    if (info.retryAtMs === 0) return what;
    return join(what, nextStep(info.retryAtMs, nowMs, 'sentence.retryIn', 'sentence.retrying'));
  }

  function errorText(info: TileInfo): string {
    const key = `tileError.${info.errorCode}`;
    return t(te(key) ? key : 'tileError.other', { detail: info.detail });
  }

  /** Null when the picture speaks for itself. */
  function words(
    info: TileInfo,
    source: Source,
    wallRetryAtMs: number,
    nowMs: number,
  ): TileWords | null {
    if (info.status === 'error')
      return { title: t('wall.error'), text: errorText(info), level: 'act' };
    if (info.status === 'stalled') {
      const since = info.drawnAtMs || info.waitingSinceMs;
      const seconds = Math.max(0, (nowMs - since) / 1000);
      const title = info.wallUs
        ? t('wall.stalledFor', { t: duration(seconds) })
        : t('wall.noPicture');
      return { title, text: stalledText(info, source, wallRetryAtMs, nowMs), level: 'act' };
    }
    if (info.status === 'connecting' && info.isLive && nowMs - info.waitingSinceMs > PATIENCE_MS)
      return {
        title: t('wall.connecting'),
        text: waitingText(info, source, nowMs),
        level: 'connecting',
      };
    if (info.status === 'snapshot')
      return {
        title: t('wall.snapshot'),
        text: t('wall.undecodable', { codec: codecName(info.undecodable) }),
        level: 'look',
      };
    return null;
  }

  return { words };
}

/** Of the sound; what we do not know is written as the camera calls it. */
export function soundName(codec: string): string {
  const names = { aac: 'AAC', pcma: 'G.711 A', pcmu: 'G.711 µ', s16be: 'PCM 16', s16le: 'PCM 16' };
  return names[codec as keyof typeof names] ?? codec;
}

export function codecName(codec: string): string {
  return { h264: 'H.264', h265: 'H.265', hevc: 'H.265', jpeg: 'MJPEG' }[codec] ?? codec;
}
