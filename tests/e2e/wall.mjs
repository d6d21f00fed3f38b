// The wall: pictures that really advance, a pulled cable that is told, and coming back.
import {
  cable,
  call,
  check,
  equal,
  newPage,
  pixels,
  shoot,
  signIn,
  signedIn,
  tileOf,
  tiles,
  truth,
  until,
  url,
} from './lib.mjs';

const CABLE = 'cam-003';

/** Cameras whose frame counter and pixels both changed since `before`; they are added to `moved`. */
async function noteMoved(page, before, moved) {
  for (const tile of await tiles(page)) {
    if (!tile.camera || moved.has(tile.camera)) continue;
    const now = {
      frames: tile.frames,
      pixels: await pixels(page, tile.camera),
    };
    const old = before.get(tile.camera);
    if (!old) before.set(tile.camera, now);
    else if (now.frames >= old.frames + 5 && now.pixels !== old.pixels) moved.add(tile.camera);
  }
  return moved.size;
}

async function allMove(page, n, seconds) {
  const before = new Map();
  const moved = new Set();
  try {
    await until(
      `${n} moving tiles`,
      seconds,
      async () => (await noteMoved(page, before, moved)) >= n,
    );
  } catch (error) {
    const still = (await tiles(page)).filter(({ camera }) => camera && !moved.has(camera));
    const list = still
      .map(({ camera, status, cause }) => `${camera} ${status} ${cause}`)
      .join(', ');
    throw new Error(`${error.message}; not moving: ${list}`);
  }
}

async function signingIn(browser) {
  const page = await newPage(browser);
  await check('a wrong password is refused with a sentence', async () => {
    await signIn(page, 'not the password');
    await page.waitForSelector('[role=alert]', { timeout: 5000 });
    truth(page.url().endsWith('/sign-in'), 'the page left sign-in');
  });
  await check('signing in leads to the wall', async () => {
    await signIn(page);
    await page.waitForURL('**/wall', { timeout: 10_000 });
    await page.waitForSelector('[data-tile="15"]');
  });
  await check('the session survives a reload', async () => {
    await page.reload();
    await page.waitForSelector('[data-tile="0"]', { timeout: 10_000 });
  });
  return page;
}

async function pulledCable(page) {
  const tile = page.locator(`[data-camera=${CABLE}][data-tile]`);
  await check('a pulled cable is told on the tile within seconds, with a reason', async () => {
    await until('a picture', 20, async () => (await tileOf(page, CABLE))?.status === 'playing');
    const before = Date.now();
    await cable(CABLE, 'pull');
    await until('a stalled tile', 6, async () => (await tileOf(page, CABLE)).status === 'stalled');
    const took = (Date.now() - before) / 1000;
    const title = await tile.locator('.message b').innerText({ timeout: 2000 });
    truth(/画面停滞/.test(title), `the tile says "${title}"`);
    const text = await tile.locator('.message span').innerText();
    truth(text.length > 8, `the tile says only "${text}"`);
    truth(took < 6, `it took ${took} s`);
  });
  await check('the stalled tile keeps its last picture and its time, in grey', async () => {
    const first = await pixels(page, CABLE);
    truth(first !== 0, 'the picture is gone');
    const filter = await page.evaluate(
      (id) => getComputedStyle(document.querySelector(`[data-camera="${id}"] .picture`)).filter,
      CABLE,
    );
    truth(filter.includes('grayscale'), 'the picture is not grey');
    const time = await tile.locator('time').innerText();
    truth(/\d\d:\d\d:\d\d/.test(time), `its time is "${time}"`);
  });
  await check('the tile comes to name the cause and the next try', async () => {
    await until('a cause', 40, async () => {
      const { cause } = await tileOf(page, CABLE);
      const text = await tile.locator('.message span').innerText();
      return cause && !['ok', 'connecting', ''].includes(cause) && /重试|继续/.test(text);
    });
    await shoot(page, 'wall-stalled');
    await until('the tree telling it too', 15, () =>
      page.locator(`.row[data-key="c:${CABLE}"] .reason.act`).isVisible(),
    );
  });
  await check('the tile recovers by itself when the cable is plugged in', async () => {
    const { frames } = await tileOf(page, CABLE);
    await cable(CABLE, 'plug');
    await until('pictures again', 45, async () => {
      const now = await tileOf(page, CABLE);
      return now.status === 'playing' && now.frames > frames + 5;
    });
  });
}

async function handling(page) {
  await check('keys 1 to 7 choose layouts', async () => {
    await page.locator('.grid').click({ position: { x: 5, y: 5 } });
    for (const [key, n] of [
      ['7', 64],
      ['1', 1],
      ['4', 16],
    ]) {
      await page.keyboard.press(key);
      await until(`${n} tiles`, 3, async () => (await page.locator('[data-tile]').count()) === n);
    }
  });
  await check('a double-click enlarges a tile to its main stream, Escape shrinks it', async () => {
    await until('a picture', 15, async () => (await tileOf(page, 'cam-001'))?.status === 'playing');
    await page.dblclick('[data-camera=cam-001][data-tile]', {
      position: { x: 80, y: 60 },
    });
    await until('the main stream', 15, async () => {
      const tile = await tileOf(page, 'cam-001');
      return tile.stream === 'main' && tile.status === 'playing' && tile.frames > 0;
    });
    await page.keyboard.press('Escape');
    await until('the sub stream', 15, async () => {
      const tile = await tileOf(page, 'cam-001');
      return tile.stream === 'sub' && tile.status === 'playing';
    });
  });
  await check('H.265 beyond the browser gives the sub stream or stills, and says so', async () => {
    const states = await call(page, '/states');
    const hevc = states.items.find(({ codec, stream }) => codec === 'h265' && stream === 'main');
    truth(hevc, 'the demo has no H.265 camera');
    await page.dblclick(`[data-camera=${hevc.camera_id}][data-tile]`, {
      position: { x: 80, y: 60 },
    });
    await until('another way', 20, async () => {
      const { status, undecodable, codec, decoder } = await tileOf(page, hevc.camera_id);
      if (decoder && codec === 'h265') return true; // this browser can decode it after all
      return undecodable === 'h265' && ['playing', 'snapshot'].includes(status);
    });
    const { undecodable } = await tileOf(page, hevc.camera_id);
    const said = page.locator(`[data-camera=${hevc.camera_id}] .message`);
    if (undecodable) truth(/H\.265/.test(await said.innerText()), 'nothing is said about H.265');
    await page.keyboard.press('Escape');
  });
  await check('a camera is found by search and put on a tile', async () => {
    await page.click('[data-layout="1"]');
    await page.keyboard.press('Delete');
    await page.keyboard.press('/');
    await page.keyboard.type('cam-006');
    await page.keyboard.press('Enter');
    await until(
      'the camera',
      10,
      async () => (await tileOf(page, 'cam-006'))?.status === 'playing',
    );
    await page.keyboard.press('Escape');
  });
  await check(
    'a camera is dragged from the tree to a tile, and an institution fills the wall',
    async () => {
      await page.click('[data-layout="4"]');
      await page.getByRole('button', { name: '清空' }).click();
      await until('an empty wall', 3, async () => (await page.locator('.is-empty').count()) === 4);
      await page.locator('[data-key="c:cam-001"]').dragTo(page.locator('[data-tile="2"]'));
      equal(await page.locator('[data-tile="2"]').getAttribute('data-camera'), 'cam-001', 'tile 3');
      const { items } = await call(page, '/cameras');
      const house = items[0].institution_id;
      const ids = items.filter((one) => one.institution_id === house).map(({ id }) => id);
      await page.locator(`[data-key="i:${house}"]`).dragTo(page.locator('[data-tile="0"]'));
      await until('its cameras', 3, async () => {
        const shown = await page.locator('[data-tile][data-camera]').count();
        return shown === ids.length;
      });
    },
  );
  await check('patrol shows one institution after the other and gives the wall back', async () => {
    const shown = () =>
      page
        .locator('[data-tile][data-camera]')
        .evaluateAll((list) => list.map((tile) => tile.dataset.camera).join());
    const own = await shown();
    const menu = page.locator('.toolbar .pop').nth(1);
    await menu.locator('button').first().click();
    await menu.getByRole('menuitem').first().click();
    const first = await until('a page', 3, shown);
    await until('the next page', 15, async () => (await shown()) !== first);
    await menu.locator('button').first().click();
    await menu.getByRole('menuitem').last().click();
    equal(await shown(), own, 'the wall after the patrol');
  });
  await check('a wall is saved, loaded and deleted', async () => {
    const name = `e2e ${Date.now()}`;
    const menu = page.locator('.toolbar .pop').first();
    await menu.locator('button').first().click();
    await menu.getByRole('menuitem').first().click();
    await page.fill('.el-message-box__input input', name);
    await page.locator('.el-message-box__btns .el-button--primary').click();
    await until('the wall', 5, async () => {
      const { items } = await call(page, '/walls');
      return items.some((wall) => wall.name === name && wall.layout === 4);
    });
    await page.click('[data-layout="9"]');
    await menu.locator('button').first().click();
    await menu.getByRole('menuitemradio', { name }).click();
    await until('four tiles', 5, async () => (await page.locator('[data-tile]').count()) === 4);
    await menu.locator('button').first().click();
    await menu.getByRole('menuitem').last().click();
    await page.locator('.el-message-box__btns .el-button--primary').click();
    await until('no wall', 5, async () => {
      const { items } = await call(page, '/walls');
      return !items.some((wall) => wall.name === name);
    });
  });
}

export async function wallChecks(browser) {
  const page = await signingIn(browser);
  await check('twelve tiles advance: frame counters and pixels change', () =>
    allMove(page, 12, 75),
  );
  await shoot(page, 'wall');
  await check('the totals tell tiles, delay and bit rate', () =>
    until('totals', 5, async () =>
      /12.*\d\.\d\d\s*s.*Mbit\/s/.test(await page.locator('[data-test=totals]').innerText()),
    ),
  );
  await pulledCable(page);
  await handling(page);
  await check('the wall page complains about nothing', async () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await page.context().close();

  const mse = await signedIn(browser);
  await mse.goto(`${url}/wall?player=mse`);
  await check('without WebCodecs the Media Source path shows moving pictures', async () => {
    await allMove(mse, 8, 45);
    const playing = (await tiles(mse)).filter(({ status }) => status === 'playing');
    truth(
      playing.every(({ decoder }) => decoder === 'mse'),
      'another decoder was used',
    );
    const delays = playing.map(({ delayS }) => delayS ?? 0).sort((a, b) => a - b);
    const median = delays[Math.floor(delays.length / 2)];
    truth(median < 1.5, `the median delay is ${median} s`);
  });
  await mse.context().close();

  const phone = await signedIn(browser, { width: 390, height: 844 });
  await check('a phone shows two tiles across and no sideways scrolling', async () => {
    await until('a picture', 20, async () =>
      (await tiles(phone)).some(({ status }) => status === 'playing'),
    );
    const first = await phone.locator('[data-tile="0"]').boundingBox();
    const second = await phone.locator('[data-tile="1"]').boundingBox();
    equal(Math.round(first.y), Math.round(second.y), 'top of the second tile');
    const wide = await phone.evaluate(() => document.documentElement.scrollWidth);
    truth(wide <= 390, `the page is ${wide} px wide`);
    const nav = await phone.locator('nav').boundingBox();
    truth(nav.y > 700, 'the navigation is not at the bottom');
    await shoot(phone, 'phone');
  });
  await phone.context().close();
}
