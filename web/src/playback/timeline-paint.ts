// Draws the timeline into a canvas.

import type { Timeline } from '@/api/schema';
import type { HeldSpan } from '@/holds/holds';
import { clockOf, dayOf, minuteOf } from '@/ui/time';
import { faultOf, ticks, xAt, type Fault, type View } from './timeline-scale';

export interface Palette {
  text: string;
  dim: string;
  line: string;
  surface: string;
  recorded: string;
  recordedLine: string;
  motion: string;
  look: string;
  act: string;
  off: string;
  action: string;
}

export interface Marks {
  inMs: number | null;
  outMs: number | null;
}

export interface Scene {
  view: View;
  timeline: Timeline | null;
  cursorMs: number | null;
  hoverMs: number | null;
  nowMs: number;
  marks: Marks;
  held: HeldSpan[];
  zone: string;
}

export const AXIS_PX = 20;
const BAR_PX = 44;

/** Colours come from the page's CSS variables, so that themes hold here too. */
export function paletteOf(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const get = (name: string) => style.getPropertyValue(name).trim();
  return {
    text: get('--text'),
    dim: get('--dim'),
    line: get('--line'),
    surface: get('--raised'),
    recorded: get('--recorded'),
    recordedLine: get('--recorded-line'),
    motion: get('--motion'),
    look: get('--look'),
    act: get('--act'),
    off: get('--off'),
    action: get('--action'),
  };
}

function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  color: string,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.globalAlpha = 0.28;
  context.fillStyle = color;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 0.8;
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.beginPath();
  const first = Math.floor((x - height) / 8) * 8;
  for (let at = first; at < x + width; at += 8) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function paintAxis(context: CanvasRenderingContext2D, scene: Scene, width: number, p: Palette) {
  const { view, zone } = scene;
  const { stepMs, times } = ticks(view, width, zone);
  context.font = '11px Inter, "Noto Sans SC", "Noto Sans CJK SC", sans-serif';
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (const ms of times) {
    const x = Math.round(xAt(view, ms, width)) + 0.5;
    const isMidnight = clockOf(ms, zone) === '00:00:00';
    let label = minuteOf(ms, zone);
    if (stepMs < 60_000) label = clockOf(ms, zone);
    if (stepMs >= 86_400_000 || isMidnight) label = dayOf(ms, zone).slice(5);
    context.fillStyle = isMidnight ? p.text : p.dim;
    context.fillText(label, Math.min(width - 20, Math.max(20, x)), AXIS_PX / 2);
    context.strokeStyle = p.line;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, AXIS_PX - 2);
    context.lineTo(x, AXIS_PX + BAR_PX);
    context.stroke();
  }
}

function paintRecordings(
  context: CanvasRenderingContext2D,
  scene: Scene,
  width: number,
  p: Palette,
) {
  const { timeline, view } = scene;
  if (!timeline) return;
  const faultColor: Record<Fault, string> = { camera: p.act, own: p.look, none: p.off };
  const edge = (ms: number) => Math.min(width + 20, Math.max(-20, xAt(view, ms, width)));
  context.fillStyle = p.recorded;
  for (const { from, to } of timeline.spans) {
    const x = edge(Date.parse(from));
    context.fillRect(x, AXIS_PX, Math.max(1, edge(Date.parse(to)) - x), BAR_PX);
  }
  for (const { from, to, cause } of timeline.gaps) {
    const x = edge(Date.parse(from));
    const w = Math.max(2, edge(Date.parse(to)) - x);
    if (x + w < 0 || x > width) continue;
    hatch(context, x, AXIS_PX, w, BAR_PX, faultColor[faultOf(cause)]);
  }
}

function paintMotion(context: CanvasRenderingContext2D, scene: Scene, width: number, p: Palette) {
  const { timeline, view } = scene;
  if (!timeline) return;
  const fromMs = Date.parse(timeline.from);
  const stepMs = timeline.bucket_s * 1000;
  const first = Math.max(0, Math.floor((view.fromMs - fromMs) / stepMs));
  const last = Math.min(timeline.buckets.length, Math.ceil((view.toMs - fromMs) / stepMs));
  const bar = Math.max(1.5, xAt(view, view.fromMs + stepMs, width) - 0.8);
  context.fillStyle = p.motion;
  for (let i = first; i < last; i++) {
    const motion = timeline.buckets[i]?.motion ?? 0;
    if (motion <= 0) continue;
    const height = Math.max(3, Math.sqrt(Math.min(1, motion)) * (BAR_PX - 8));
    const x = xAt(view, fromMs + i * stepMs, width);
    context.fillRect(x, AXIS_PX + BAR_PX - height, bar, height);
  }
}

const HELD_PX = 3;
const LOCK_PX = 15;

/** A padlock on a plate of its own, so that it is seen before motion and recordings; its foot at y. */
function paintLock(context: CanvasRenderingContext2D, x: number, y: number, p: Palette) {
  context.fillStyle = p.surface;
  context.fillRect(x, y - LOCK_PX, LOCK_PX, LOCK_PX);
  context.fillStyle = p.action;
  context.strokeStyle = p.action;
  context.lineWidth = 1.5;
  context.fillRect(x + 3, y - 9, 9, 6);
  context.beginPath();
  context.arc(x + 7.5, y - 9, 2.8, Math.PI, 0);
  context.stroke();
}

/** A line under what is held, with a padlock where what is seen of it begins. */
function paintHeld(context: CanvasRenderingContext2D, scene: Scene, width: number, p: Palette) {
  const bottom = AXIS_PX + BAR_PX;
  for (const { fromMs, toMs } of scene.held) {
    const from = Math.max(0, xAt(scene.view, fromMs, width));
    const to = Math.min(width, xAt(scene.view, toMs, width));
    if (to < 0 || from > width) continue;
    context.fillStyle = p.action;
    context.fillRect(from, bottom + 1, Math.max(3, to - from), HELD_PX);
    if (to - from > LOCK_PX) paintLock(context, from, bottom + 1, p);
  }
}

function paintMarks(context: CanvasRenderingContext2D, scene: Scene, width: number, p: Palette) {
  const { marks, view } = scene;
  const xs = [marks.inMs, marks.outMs].map((ms) => (ms === null ? null : xAt(view, ms, width)));
  const [a, b] = xs;
  context.fillStyle = p.look;
  if (a !== null && a !== undefined && b !== null && b !== undefined) {
    context.globalAlpha = 0.25;
    context.fillRect(a, AXIS_PX, b - a, BAR_PX);
    context.globalAlpha = 1;
  }
  for (const x of xs)
    if (x !== null && x !== undefined) context.fillRect(x - 1, AXIS_PX - 4, 2, BAR_PX + 8);
}

export function paint(canvas: HTMLCanvasElement, scene: Scene, palette: Palette): void {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  if (!context) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const nowX = xAt(scene.view, scene.nowMs, width);
  context.fillStyle = palette.surface;
  context.fillRect(0, AXIS_PX, Math.min(width, Math.max(0, nowX)), BAR_PX);
  paintRecordings(context, scene, width, palette);
  paintMotion(context, scene, width, palette);
  paintAxis(context, scene, width, palette);
  paintHeld(context, scene, width, palette);
  paintMarks(context, scene, width, palette);
  if (scene.hoverMs !== null) {
    context.fillStyle = palette.dim;
    context.fillRect(Math.round(xAt(scene.view, scene.hoverMs, width)), AXIS_PX, 1, BAR_PX);
  }
  if (scene.cursorMs !== null) {
    const x = Math.round(xAt(scene.view, scene.cursorMs, width));
    context.fillStyle = palette.text;
    context.fillRect(x - 1, AXIS_PX - 6, 2, BAR_PX + 12);
  }
}
