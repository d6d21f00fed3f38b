// Playback: from the timeline, by keys, and as a downloaded file.
import { readFile } from 'node:fs/promises';
import { call, check, equal, pixels, shoot, signedIn, tiles, truth, until, url } from './lib.mjs';

const CAMERA = 'cam-001';
const iso = (ms) => new Date(ms).toISOString();
const only = async (page) => (await tiles(page))[0];
const shownMs = async (page) => (await only(page)).wallUs / 1000;

/** The longest span of the last hour, once it is long enough to play in. */
async function recordedSpan(page, leastMs) {
  return until(`${leastMs / 1000} s of recording`, 60, async () => {
    const now = Date.now();
    const query = `from=${iso(now - 3_600_000)}&to=${iso(now)}`;
    const { spans } = await call(page, `/cameras/${CAMERA}/recordings?${query}`);
    const all = spans.map(({ from, to }) => ({
      from: Date.parse(from),
      to: Date.parse(to),
    }));
    all.sort((a, b) => b.to - b.from - (a.to - a.from));
    return all[0] && all[0].to - all[0].from >= leastMs ? all[0] : null;
  });
}

async function playing(page, span) {
  await check('a link opens a camera at a moment and plays it', async () => {
    await page.goto(`${url}/playback?camera=${CAMERA}&t=${iso(span.from + 2000)}`);
    await until('pictures', 15, async () => {
      const ms = await shownMs(page);
      return ms > span.from + 1500 && ms < span.from + 12_000;
    });
    const first = {
      ms: await shownMs(page),
      frames: (await only(page)).frames,
    };
    await until('pictures advancing', 10, async () => {
      const tile = await only(page);
      return tile.frames > first.frames + 10 && tile.wallUs / 1000 > first.ms + 1000;
    });
  });
  await check('a click on the timeline plays from there', async () => {
    const box = await page.locator('[data-test=timeline]').boundingBox();
    // zoom in, so that a pixel is less than a second
    const shown = await shownMs(page);
    for (let i = 0; i < 6; i++) await page.keyboard.press('+');
    await page.waitForTimeout(600);
    const before = (await only(page)).frames;
    await page.mouse.click(box.x + box.width * 0.45, box.y + 40);
    await until('another moment', 10, async () => {
      const tile = await only(page);
      return tile.frames > before && Math.abs(tile.wallUs / 1000 - shown) > 500;
    });
    const from = (await only(page)).frames;
    await until('advancing', 10, async () => (await only(page)).frames > from + 5);
    const { t } = Object.fromEntries(new URL(page.url()).searchParams);
    truth(!Number.isNaN(Date.parse(t)), 'the address does not carry the moment');
  });
}

async function keys(page, span) {
  await check('Space holds the picture and goes on', async () => {
    await page.goto(`${url}/playback?camera=${CAMERA}&t=${iso(span.from + 2000)}`);
    await until('pictures', 15, async () => (await only(page))?.status === 'playing');
    await page.keyboard.press('Space');
    await until('paused', 3, async () => (await only(page)).status === 'paused');
    const held = await shownMs(page);
    await page.waitForTimeout(700);
    equal(await shownMs(page), held, 'moment of the held picture');
  });
  await check('. and , step one picture forward and back', async () => {
    const times = [await shownMs(page)];
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('.');
      const next = await until('the next picture', 5, async () => {
        const ms = await shownMs(page);
        return ms > times[i] ? ms : null;
      });
      times.push(next);
    }
    // a simulator on a busy machine leaves out pictures: not every step is a short one
    const steps = [0, 1, 2].map((i) => times[i + 1] - times[i]);
    truth(Math.min(...steps) < 1000, `steps of ${steps.join(', ')} ms`);
    await page.keyboard.press(',');
    await until('the picture before', 5, async () => (await shownMs(page)) < times[3]);
    truth(Math.abs((await shownMs(page)) - times[2]) < 10, 'the step back did not lead back');
  });
  await check('L goes on and then faster', async () => {
    await page.keyboard.press('l');
    await until('playing', 5, async () => (await only(page)).status === 'playing');
    await page.keyboard.press('l');
    await page.keyboard.press('l');
    const from = await shownMs(page);
    const started = Date.now();
    await page.waitForTimeout(2500);
    const rate = ((await shownMs(page)) - from) / (Date.now() - started);
    truth(rate > 2 || (await only(page)).status === 'ended', `the rate is ${rate.toFixed(1)}`);
  });
}

async function backwards(page, span) {
  await check('J goes backwards, and no further than there is something', async () => {
    await page.goto(`${url}/playback?camera=${CAMERA}&t=${iso(span.from + 4000)}`);
    await until('pictures', 15, async () => (await only(page))?.status === 'playing');
    const from = await shownMs(page);
    await page.keyboard.press('j');
    await until('earlier pictures', 10, async () => (await shownMs(page)) < from - 1000);
    await until('the start', 20, async () => {
      const tile = await only(page);
      const ms = tile.wallUs / 1000 - span.from;
      truth(ms < 1000, `${ms} ms behind it, ${tile.status} ${tile.errorCode} ${tile.cause}`);
      return true;
    });
    const oldest = await shownMs(page);
    await page.keyboard.press('l');
    await until('playing', 5, async () => (await shownMs(page)) > oldest + 500);
  });
}

async function clip(page, span) {
  await check('in and out marks give a clip that is an MP4', async () => {
    await page.goto(`${url}/playback?camera=${CAMERA}&t=${iso(span.from + 2000)}`);
    await until('pictures', 15, async () => (await only(page))?.status === 'playing');
    await page.keyboard.press('i');
    const from = await shownMs(page);
    await until('three seconds later', 15, async () => (await shownMs(page)) > from + 3000);
    await page.keyboard.press('o');
    await until('marks', 3, () => page.locator('.marks').isVisible());
    await shoot(page, 'playback');
    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 15_000 }),
      page.keyboard.press('e'),
    ]);
    truth(/\.mp4$/.test(download.suggestedFilename()), 'the file is not called .mp4');
    const file = await readFile(await download.path());
    equal(file.toString('latin1', 4, 8), 'ftyp', 'the first box');
    truth(file.includes('moov') && file.includes('mdat'), 'no moov or no mdat');
    truth(file.length > 20_000, `only ${file.length} bytes`);
  });
}

async function around(page) {
  await check('the calendar shows today as a day with video', async () => {
    await until('a coloured day', 10, () =>
      page.locator('.day.is-today.video, .day.is-today.gaps').isVisible(),
    );
  });
  await check('the timeline tells and shows what is under the pointer', async () => {
    const box = await page.locator('[data-test=timeline]').boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await until('words', 5, async () => (await page.locator('.tip').innerText()).length > 10);
    await page.mouse.move(box.x, box.y - 200);
  });
  await check('motion events are listed and lead to the recording', async () => {
    await until('an event', 60, async () => (await call(page, '/events')).items.length > 0);
    await page.goto(`${url}/events`);
    const link = page.locator('[data-event] a').first();
    await link.waitFor({ timeout: 10_000 });
    await page.waitForTimeout(800);
    await shoot(page, 'events');
    await link.click();
    await page.waitForURL('**/playback?camera=*');
    await until('pictures', 20, async () => (await only(page))?.frames > 5);
  });
  await check('a tile leads to its playback at this second', async () => {
    await page.goto(`${url}/wall`);
    const tile = page.locator('[data-camera=cam-002][data-tile]');
    await tile.waitFor({ timeout: 10_000 });
    await until('a picture', 20, async () =>
      (await tiles(page)).some(
        ({ camera, status }) => camera === 'cam-002' && status === 'playing',
      ),
    );
    truth((await pixels(page, 'cam-002')) !== 0, 'no picture');
    await tile.hover();
    await tile.locator('[data-test=to-playback]').click();
    await page.waitForURL('**/playback?camera=cam-002*');
    await until('pictures', 25, async () => (await only(page))?.frames > 3);
  });
}

export async function playbackChecks(browser) {
  const page = await signedIn(browser);
  let span = null;
  await check('the camera has been recorded', async () => {
    span = await recordedSpan(page, 20_000);
  });
  if (!span) return;
  await playing(page, span);
  await keys(page, span);
  await backwards(page, span);
  await clip(page, span);
  await around(page);
  await check('the playback pages complain about nothing', async () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await page.context().close();
}
