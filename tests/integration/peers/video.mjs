// node video.mjs WEB FILE: plays FILE in Chromium's <video>; exit 0 when it advances to its end without an error.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [web, file] = process.argv.slice(2);
const { chromium } = createRequire(join(web, 'package.json'))('playwright-core');

const server = createServer((req, res) => {
  if (req.url !== '/v.mp4') {
    res.setHeader('Content-Type', 'text/html');
    res.end('<video muted src="/v.mp4"></video>');
    return;
  }
  const { size } = statSync(file);
  const [, from, to] = /bytes=(\d+)-(\d*)/.exec(req.headers.range ?? '') ?? [null, 0, ''];
  const range = { start: Number(from), end: to ? Number(to) : size - 1 };
  res.writeHead(req.headers.range ? 206 : 200, {
    'Content-Type': 'video/mp4',
    'Accept-Ranges': 'bytes',
    'Content-Length': range.end - range.start + 1,
    'Content-Range': `bytes ${range.start}-${range.end}/${size}`,
  });
  createReadStream(file, range).on('error', () => res.destroy()).pipe(res);
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
let code = 1;
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const result = await page.evaluate(async () => {
    const video = document.querySelector('video');
    video.playbackRate = 2;
    await video.play().catch(() => {});
    await new Promise((done) => {
      video.onended = done;
      video.onerror = done;
      setTimeout(done, 20000);
    });
    const quality = video.getVideoPlaybackQuality();
    return { time: video.currentTime, duration: video.duration, ended: video.ended, error: video.error?.message ?? null,
      width: video.videoWidth, frames: quality.totalVideoFrames, corrupted: quality.corruptedVideoFrames };
  });
  console.log(JSON.stringify(result));
  if (result.ended && !result.error && result.width > 0 && result.frames > 10) code = 0;
  else console.error(JSON.stringify(result));
} finally {
  await browser.close();
  server.close();
}
process.exit(code);
