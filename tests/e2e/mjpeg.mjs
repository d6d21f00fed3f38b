// A camera that sends MJPEG: its images move in a live tile, and play, pause and step when recorded.
import {
  call,
  check,
  equal,
  pixels,
  shoot,
  signedIn,
  tileOf,
  tiles,
  truth,
  until,
  url,
} from './lib.mjs';

const CAMERA = 'mjpeg-001';
const source = process.env.MJPEG_URL;
const only = async (page) => (await tiles(page))[0];

/** A change through the API with the page's session. */
const change = (page, method, path, body) =>
  page.evaluate(
    async ([how, at, what]) => {
      const { csrf } = await (await fetch('/api/v1/me')).json();
      const headers = { 'Content-Type': 'application/json', 'X-CSRF-Token': csrf };
      const answer = await fetch(`/api/v1${at}`, {
        method: how,
        headers,
        body: JSON.stringify(what),
      });
      return answer.status;
    },
    [method, path, body],
  );

async function add(page) {
  const { institution_id } = (await call(page, '/cameras')).items[0];
  const camera = {
    id: CAMERA,
    name: 'MJPEG',
    institution_id,
    area_type: 'corridor',
    record: 'main',
  };
  equal(await change(page, 'POST', '/cameras', { ...camera, main_url: source }), 201, 'adding it');
}

async function live(page) {
  await page.goto(`${url}/wall?camera=${CAMERA}`);
  const tile = () => tileOf(page, CAMERA);
  await until('pictures', 20, async () => (await tile())?.status === 'playing');
  const { decoder, codec } = await tile();
  equal(decoder, 'images', 'decoder');
  equal(codec, 'jpeg', 'codec');
  let before = await pixels(page, CAMERA);
  for (let i = 0; i < 3; i++) {
    const { frames } = await tile();
    await until('moving pixels', 5, async () => {
      const now = await pixels(page, CAMERA);
      return now !== 0 && now !== before && (await tile()).frames > frames;
    });
    before = await pixels(page, CAMERA);
  }
  const first = (await tile()).frames;
  await page.waitForTimeout(2000);
  const { frames, delayS } = await tile();
  truth(frames - first >= 12, `${frames - first} pictures in 2 s`);
  truth(delayS < 2, `${delayS} s behind`);
  await shoot(page, 'mjpeg');
}

async function recorded(page) {
  const span = await until('8 s of recording', 40, async () => {
    const from = new Date(Date.now() - 600_000).toISOString();
    const to = new Date().toISOString();
    const { spans } = await call(page, `/cameras/${CAMERA}/recordings?from=${from}&to=${to}`);
    const [one] = spans;
    return one && Date.parse(one.to) - Date.parse(one.from) > 8000 ? one : null;
  });
  const at = new Date(Date.parse(span.from) + 1000).toISOString();
  await page.goto(`${url}/playback?camera=${CAMERA}&t=${at}`);
  await until('pictures', 15, async () => (await only(page))?.status === 'playing');
  const ms = async () => (await only(page)).wallUs / 1000;
  const from = await ms();
  const started = Date.now();
  await page.waitForTimeout(2000);
  const rate = ((await ms()) - from) / (Date.now() - started);
  truth(Math.abs(rate - 1) < 0.2, `the rate is ${rate.toFixed(2)}`);
  await page.keyboard.press('Space');
  await until('paused', 3, async () => (await only(page)).status === 'paused');
  const held = await ms();
  const shown = await pixels(page, CAMERA);
  await page.waitForTimeout(700);
  equal(await ms(), held, 'moment of the held picture');
  equal(await pixels(page, CAMERA), shown, 'held pixels');
  await page.keyboard.press('.');
  const next = await until('the next picture', 5, async () => ((await ms()) > held ? ms() : null));
  truth(next - held < 200, `a step of ${next - held} ms`);
}

export async function mjpegChecks(browser) {
  if (!source) throw new Error('set MJPEG_URL');
  const page = await signedIn(browser);
  await check('an MJPEG camera is added', () => add(page));
  await check('its images move in a tile', () => live(page));
  await check('its recording plays in time, pauses and steps', () => recorded(page));
  await check('the page has nothing to complain about', () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await change(page, 'DELETE', `/cameras/${CAMERA}`, {});
  await page.context().close();
}
