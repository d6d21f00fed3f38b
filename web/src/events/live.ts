// Events that arrive while a list of them is shown, the newest first.

import type { Event as MotionEvent } from '@/api/schema';

/** The list with the event in its place; one that goes on is replaced. What is older than all that is
 * shown belongs to a further page, if there is one. */
export function withEvent(
  list: MotionEvent[],
  event: MotionEvent,
  hasMore: boolean,
): MotionEvent[] {
  if (list.some(({ id }) => id === event.id))
    return list.map((old) => (old.id === event.id ? event : old));
  const from = Date.parse(event.from);
  const at = list.findIndex((old) => Date.parse(old.from) <= from);
  if (at < 0) return hasMore ? list : [...list, event];
  return [...list.slice(0, at), event, ...list.slice(at)];
}
