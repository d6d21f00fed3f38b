// Downloads a clip: first asks for one byte, so that a refusal is a sentence and not a broken file.

import { ApiError, apiUrl, errorOf } from '@/api/client';

export interface ClipRange {
  camera: string;
  stream: 'main' | 'sub';
  fromMs: number;
  toMs: number;
}

export async function downloadClip(range: ClipRange, fileName: string): Promise<void> {
  const url = apiUrl(`/cameras/${range.camera}/clip.mp4`, {
    from: new Date(range.fromMs).toISOString(),
    to: new Date(range.toMs).toISOString(),
    stream: range.stream === 'main' ? undefined : range.stream,
  });
  let response: Response;
  try {
    response = await fetch(url, { headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
  } catch {
    throw new ApiError(0);
  }
  if (!response.ok) throw await errorOf(response);
  await response.body?.cancel();
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName;
  link.click();
}
