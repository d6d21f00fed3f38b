// Who begins the conversation about a stream, and in which language.

import type { Camera } from '@/api/schema';
import { isPushed } from './push';

/** We ask a camera by RTSP · its encoder comes to us · something that is no RTSP is read. */
export type Source = 'pull' | 'push' | 'foreign';

export function sourceOf(
  camera: Pick<Camera, 'main_url' | 'sub_url'> | undefined,
  stream: 'main' | 'sub' | null,
): Source {
  const url = (stream === 'sub' && camera?.sub_url) || camera?.main_url || '';
  if (isPushed(url)) return 'push';
  return url === '' || /^\s*rtsp/i.test(url) ? 'pull' : 'foreign';
}
