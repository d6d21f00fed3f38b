// The player against the mock server of web/dev, which speaks the wall protocol over clips that no camera of the
// demo has: pictures that are reordered (B-frames), and H.265 without any other stream.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { check, equal, newPage, pixels, truth, until } from './lib.mjs';

const web = fileURLToPath(new URL('../../web', import.meta.url));
const REORDERED = 'cam-001';
const HEVC_ONLY = 'cam-008';

/** Starts the mock on a port of its own; gives its address and the process. */
async function startMock() {
  const mock = spawn('node', ['dev/mock.mjs'], { cwd: web, env: { ...process.env, PORT: '0' } });
  let said = '';
  mock.stdout.on('data', (text) => (said += text));
  mock.stderr.on('data', (text) => (said += text));
  const address = await until('the mock server', 90, () => {
    if (mock.exitCode !== null) throw new Error(`the mock ended: ${said.slice(-300)}`);
    return /http:\/\/\S+\d/.exec(said)?.[0];
  });
  return { mock, address };
}

async function openMock(browser, address, path) {
  const page = await newPage(browser, { address });
  await page.fill('[name=username]', 'admin');
  await page.fill('[name=password]', 'admin');
  await page.click('button[type=submit]');
  await page.waitForURL('**/wall');
  await page.goto(`${address}${path}`);
  return page;
}

/** The wall clocks of the pictures shown, in the order they were shown, for some seconds. */
const shownTimes = (page, camera, seconds) =>
  page.evaluate(
    ([id, ms]) =>
      new Promise((resolve) => {
        const times = [];
        const end = performance.now() + ms;
        const look = () => {
          const tile = window.__rookery.tiles.find((one) => one.camera === id);
          if (tile && tile.wallUs !== times[times.length - 1]) times.push(tile.wallUs);
          if (performance.now() < end) requestAnimationFrame(look);
          else resolve(times);
        };
        look();
      }),
    [camera, seconds * 1000],
  );

async function reordered(browser, address, decoder) {
  const page = await openMock(browser, address, `/wall?player=${decoder}`);
  await check(`reordered pictures are shown in order (${decoder})`, async () => {
    await page
      .locator(`[data-camera=${REORDERED}][data-tile]`)
      .dblclick({ position: { x: 60, y: 50 } });
    const tile = () =>
      page.evaluate((id) => window.__rookery.tiles.find(({ camera }) => camera === id), REORDERED);
    await until('the main stream', 30, async () => {
      const { stream, status, frames } = await tile();
      return stream === 'main' && status === 'playing' && frames > 5;
    });
    equal((await tile()).decoder, decoder, 'decoder');
    await page.waitForTimeout(500);
    const times = await shownTimes(page, REORDERED, 3);
    truth(times.length > 6, `only ${times.length} pictures in 3 s`);
    const back = times.filter((time, i) => i > 0 && time < times[i - 1]);
    equal(back.length, 0, 'steps back');
  });
  await page.context().close();
}

export async function playerChecks(browser) {
  const { mock, address } = await startMock();
  try {
    await reordered(browser, address, 'webcodecs');
    await reordered(browser, address, 'mse');
    const page = await openMock(browser, address, '/wall');
    await check('H.265 with no other stream shows stills that do not look live', async () => {
      const tile = page.locator(`[data-camera=${HEVC_ONLY}][data-tile]`);
      const found = await until('stills or a decoder', 30, () =>
        page.evaluate((id) => {
          const { status, decoder } = window.__rookery.tiles.find(({ camera }) => camera === id);
          return status === 'snapshot' || decoder ? status : null;
        }, HEVC_ONLY),
      );
      if (found !== 'snapshot') return; // this browser decodes H.265
      truth(/快照/.test(await tile.locator('.state').innerText()), 'no badge');
      truth(/H\.265/.test(await tile.locator('.message').innerText()), 'no sentence');
      const first = await until('a still', 10, () => pixels(page, HEVC_ONLY));
      await until('the next still', 12, async () => (await pixels(page, HEVC_ONLY)) !== first);
    });
    await page.context().close();
  } finally {
    mock.kill();
  }
}
