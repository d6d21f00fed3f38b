// The sound of a tile: off until asked, one at a time, and really a tone; the pictures go on whatever it does.
import { check, equal, shoot, signedIn, tileOf, truth, until } from './lib.mjs';

const AAC = 'cam-001';
const G711 = 'cam-008';
const L16 = 'cam-011';
const TONE = 0.005;

/** Everything that is handed to the speakers is noted: how loud, and when by the clock of what is heard now. */
const listen = (page) =>
  page.evaluate(() => {
    window.__heard = { pieces: 0, loudest: 0, context: null, times: new Map() };
    const { start, stop } = AudioBufferSourceNode.prototype;
    AudioBufferSourceNode.prototype.start = function (at) {
      const heard = window.__heard;
      const samples = this.buffer.getChannelData(0);
      const power = samples.reduce((sum, v) => sum + v * v, 0) / samples.length;
      if (heard.context !== this.context)
        Object.assign(heard, { context: this.context, times: new Map() });
      heard.pieces += 1;
      heard.loudest = Math.max(heard.loudest, Math.sqrt(power));
      heard.times.set(this, { from: at, to: at + this.buffer.duration });
      return start.call(this, at);
    };
    AudioBufferSourceNode.prototype.stop = function () {
      const time = window.__heard.times.get(this);
      if (time) time.to = Math.min(time.to, this.context.currentTime);
      return stop.call(this);
    };
  });

const heard = (page) =>
  page.evaluate(() => {
    const { pieces, loudest, context } = window.__heard;
    return { pieces, loudest, clock: context?.currentTime ?? 0 };
  });

/** How long something is heard between two times of the clock; what is heard twice counts twice. */
const heardBetween = (page, from, to) =>
  page.evaluate(
    ([least, most]) =>
      [...window.__heard.times.values()].reduce(
        (sum, time) => sum + Math.max(0, Math.min(time.to, most) - Math.max(time.from, least)),
        0,
      ),
    [from, to],
  );

async function enlarge(page, camera) {
  await page.locator(`[data-camera=${camera}][data-tile]`).dblclick({ position: { x: 60, y: 50 } });
  await until(`${camera} large`, 20, async () => {
    const { stream, status } = await tileOf(page, camera);
    return stream === 'main' && status === 'playing';
  });
}

async function hears(page, camera) {
  await enlarge(page, camera);
  await page.keyboard.press('m');
  await until(`sound of ${camera}`, 15, async () => (await tileOf(page, camera)).sound === 'on');
  const before = { ...(await heard(page)), ...(await tileOf(page, camera)) };
  await page.waitForTimeout(4000);
  const now = { ...(await heard(page)), ...(await tileOf(page, camera)) };
  const clock = now.clock - before.clock;
  truth(clock > 3 && clock < 10, `the clock of the sound ran for ${clock.toFixed(2)} s in 4 s`);
  const seconds = await heardBetween(page, before.clock, now.clock);
  const share = seconds / clock;
  truth(share > 0.8 && share < 1.02, `${seconds.toFixed(2)} s of sound in ${clock.toFixed(2)} s`);
  truth(now.loudest > TONE, `no tone: ${now.loudest}`);
  await until('twenty pictures beside the sound', 10, async () => {
    return (await tileOf(page, camera)).frames > before.frames + 20;
  });
}

export async function soundChecks(browser) {
  const page = await signedIn(browser);
  await listen(page);
  await check('nothing is heard until somebody asks', async () => {
    await until('pictures', 20, async () => (await tileOf(page, AAC))?.status === 'playing');
    await page.waitForTimeout(1000);
    equal((await heard(page)).pieces, 0, 'pieces of sound');
    equal((await tileOf(page, AAC)).sound, 'off', 'sound');
  });
  await check('M lets an AAC camera be heard', () => hears(page, AAC));
  await shoot(page, 'sound');
  await check('Escape and another tile: G.711 is heard, and only it', async () => {
    await page.keyboard.press('Escape');
    await hears(page, G711);
    equal((await tileOf(page, AAC)).sound, 'off', 'sound of the first');
  });
  await check('L16 is a tone too, and no noise', async () => {
    await page.keyboard.press('Escape');
    await page.evaluate(() => (window.__heard.loudest = 0));
    await hears(page, L16);
    const { loudest } = await heard(page);
    truth(loudest < 0.2, `as loud as ${loudest}`); // bytes in the wrong order: 0.6
  });
  await check('M again is silence, and pictures', async () => {
    await page.keyboard.press('m');
    await until('silence', 5, async () => (await tileOf(page, L16)).sound === 'off');
    await page.waitForTimeout(500);
    const before = { ...(await heard(page)), ...(await tileOf(page, L16)) };
    await page.waitForTimeout(1500);
    const now = { ...(await heard(page)), ...(await tileOf(page, L16)) };
    equal(now.pieces, before.pieces, 'pieces of sound');
    truth(now.frames > before.frames, 'the pictures stood still');
  });
  await check('the page complains about nothing', async () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await page.context().close();
}
