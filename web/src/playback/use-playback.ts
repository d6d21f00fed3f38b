// The player of the playback page: where the cursor is, how fast it moves, and what the person asks of it.

import { computed, onBeforeUnmount, ref, shallowRef } from 'vue';
import { serverNow } from '@/ui/now';
import type { Pick } from '@/player/messages';
import type { TileInfo } from '@/player/tile-player';
import { createHub } from '@/wall/hub';

export const SPEEDS = [0.5, 1, 2, 4, 8, 16];
const REVERSE_MS = 500;
/** Until a picture is asked for again; twice as long each time, lest a slow browser never gets one decoded. */
const REVERSE_WAIT_MS = 2000;
const MORE_MS = 4000;
const RECENT_MS = 60_000;

export function usePlayback() {
  const hub = createHub();
  const player = hub.create();
  const info = shallowRef<TileInfo>({ ...player.info });
  const cursorMs = ref<number | null>(null);
  const isPaused = ref(false);
  const speed = ref(1);
  /** 0 = forwards; else how fast backwards. */
  const reverse = ref(0);
  let moreTimer: ReturnType<typeof setTimeout> | null = null;
  let reverseTimer: ReturnType<typeof setInterval> | null = null;
  let soughtAtMs = 0;
  let hasShown = true;

  const refresh = () => (info.value = { ...player.info });
  player.onChange = () => {
    refresh();
    if (player.info.status === 'ended') waitForMore();
  };
  hub.onTick = () => {
    refresh();
    if (player.info.isLive && player.info.wallUs > 0) cursorMs.value = player.info.wallUs / 1000;
  };
  player.onPicture = (wallUs) => {
    hasShown = true;
    cursorMs.value = wallUs / 1000;
  };
  hub.start();

  /** At the end of what is recorded so far: goes on when more is there. */
  function waitForMore(): void {
    moreTimer ??= setTimeout(() => {
      moreTimer = null;
      const ms = cursorMs.value;
      const isRecent = ms !== null && serverNow() - ms < RECENT_MS;
      if (player.info.status === 'ended' && isRecent && !isPaused.value) player.seek(ms + 1);
    }, MORE_MS);
  }

  function stopReverse(): void {
    if (reverseTimer) clearInterval(reverseTimer);
    reverseTimer = null;
    reverse.value = 0;
  }

  onBeforeUnmount(() => {
    stopReverse();
    if (moreTimer) clearTimeout(moreTimer);
    hub.stop();
  });

  function jump(ms: number, pick: Pick = 'at'): void {
    soughtAtMs = Date.now();
    hasShown = false;
    if (pick === 'at') cursorMs.value = ms; // else the picture that is found says where it is
    player.seek(ms, pick);
  }

  function open(camera: string, stream: 'main' | 'sub', ms: number): void {
    stopReverse();
    speed.value = 1;
    isPaused.value = false;
    cursorMs.value = ms;
    const audio = hasSound.value;
    player.show({ camera, stream, atMs: ms, speed: 1, paused: false, audio });
  }

  function seek(ms: number): void {
    stopReverse();
    jump(Math.min(ms, serverNow()));
  }

  function setPaused(paused: boolean): void {
    if (info.value.isLive && paused) {
      seek(cursorMs.value ?? serverNow());
    }
    const wasReverse = reverse.value > 0;
    stopReverse();
    isPaused.value = paused;
    player.setSpeed(speed.value, paused);
    if (wasReverse && !paused && cursorMs.value !== null) jump(cursorMs.value);
  }

  function setSpeed(next: number): void {
    stopReverse();
    speed.value = next;
    isPaused.value = false;
    player.setSpeed(next, false);
  }

  function faster(): void {
    if (isPaused.value || reverse.value > 0) {
      setSpeed(1);
      return;
    }
    setSpeed(SPEEDS[Math.min(SPEEDS.indexOf(speed.value) + 1, SPEEDS.length - 1)] ?? 1);
  }

  /** Backwards by seeking: a picture every half second; over gaps to what was recorded before. */
  function backwards(): void {
    const next = Math.min(16, reverse.value === 0 ? 1 : reverse.value * 2);
    stopReverse();
    reverse.value = next;
    isPaused.value = true;
    player.setSpeed(1, true);
    speed.value = 1;
    let waitMs = REVERSE_WAIT_MS;
    reverseTimer = setInterval(() => {
      if (cursorMs.value === null) return;
      if (!hasShown && Date.now() - soughtAtMs < waitMs) return;
      waitMs = hasShown ? REVERSE_WAIT_MS : waitMs * 2;
      jump(cursorMs.value - REVERSE_MS * reverse.value, 'before');
    }, REVERSE_MS);
  }

  function step(direction: 1 | -1): void {
    stopReverse();
    if (!isPaused.value) {
      isPaused.value = true;
      player.setSpeed(speed.value, true);
    }
    if (direction > 0) player.step();
    else if (cursorMs.value !== null) jump(cursorMs.value, 'before');
  }

  const hasSound = ref(false);
  /** Heard at the usual speed only; in answer to a click or a key. */
  function setSound(isOn: boolean): void {
    hasSound.value = isOn;
    player.setSound(isOn);
  }

  function goLive(): void {
    stopReverse();
    speed.value = 1;
    isPaused.value = false;
    player.seek('live');
  }

  return {
    player,
    hub,
    info,
    cursorMs,
    isPaused,
    speed,
    reverse,
    isLive: computed(() => info.value.isLive),
    open,
    seek,
    setPaused,
    setSpeed,
    faster,
    backwards,
    step,
    hasSound,
    setSound,
    goLive,
  };
}
