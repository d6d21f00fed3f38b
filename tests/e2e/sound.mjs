// The sound of a tile: off until asked, one at a time, and really a tone; the pictures go on whatever it does.
import { check, equal, shoot, signedIn, tileOf, truth, until } from './lib.mjs';

const AAC = 'cam-001';
const G711 = 'cam-008';
const L16 = 'cam-011';
const TONE = 0.005;

/** Everything that is handed to the speakers is noted: how long, how loud. */
const listen = (page) =>
  page.evaluate(() => {
    window.__heard = { pieces: 0, seconds: 0, loudest: 0 };
    const start = AudioBufferSourceNode.prototype.start;
    AudioBufferSourceNode.prototype.start = function (...when) {
      const samples = this.buffer.getChannelData(0);
      const power = samples.reduce((sum, v) => sum + v * v, 0) / samples.length;
      window.__heard.pieces += 1;
      window.__heard.seconds += this.buffer.duration;
      window.__heard.loudest = Math.max(window.__heard.loudest, Math.sqrt(power));
      return start.apply(this, when);
    };
  });

const heard = (page) => page.evaluate(() => ({ ...window.__heard }));

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
  const seconds = now.seconds - before.seconds;
  truth(seconds > 3.2 && seconds < 4.8, `${seconds.toFixed(2)} s of sound in 4 s`);
  truth(now.loudest > TONE, `no tone: ${now.loudest}`);
  truth(now.frames > before.frames + 20, 'the pictures stood still');
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
