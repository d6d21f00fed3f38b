// Storage: is there enough, how do the disks do; a hold placed in playback and released with a reason.
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { call, check, equal, shoot, signedIn, tiles, truth, until, url } from './lib.mjs';

const CAMERA = 'cam-002';
const REASON = '投诉 2026-42：需要保留的画面';
const RELEASE = '已移交，回执 7';
/** A file that run.sh puts where the second disk is to be. */
const FOREIGN = 'holiday.jpg';
const iso = (ms) => new Date(ms).toISOString();
const row = (page, path) => page.locator(`[data-volume="${path}"]`);
const textOf = (page, path) => row(page, path).innerText();

async function overview(page) {
  await check(
    'the storage page says whether there is enough, and what every disk does',
    async () => {
      await page.goto(`${url}/storage`);
      await page.locator('[data-test=verdict]').waitFor({ timeout: 10_000 });
      const { volumes, forecast_days: days, missing_bytes: missing } = await call(page, '/storage');
      const said = await page.locator('[data-test=verdict] b').first().innerText();
      equal(said, days === null ? '尚不能预计' : missing > 0 ? '不够' : '够用', 'the verdict');
      equal(await page.locator('[data-volume]').count(), volumes.length, 'disks');
      const good = volumes.find(({ state }) => state === 'ok');
      truth((await textOf(page, good.path)).includes('正常'), await textOf(page, good.path));
    },
  );
  await check('a disk that may not be used says why, and comes back without a reload', async () => {
    const { volumes } = await call(page, '/storage');
    const { path } = volumes.find(({ state }) => state === 'foreign');
    const text = await textOf(page, path);
    truth(text.includes('有外来文件') && text.includes('移走这些文件'), text);
    const alarm = page.locator('[data-test=ill-disks]');
    equal(await alarm.innerText(), '磁盘 1', 'what the bar says');
    await shoot(page, 'storage-disk');
    // what the page asks for itself gets no answer, so that only the event stream can tell it
    let answer;
    const told = new Promise((resolve) => (answer = resolve));
    await page.route('**/api/v1/storage', (route) => told.then(() => route.continue()));
    await unlink(join(path, FOREIGN));
    await until('the disk in use', 20, async () => (await textOf(page, path)).includes('正常'));
    await alarm.waitFor({ state: 'detached', timeout: 1000 });
    answer();
  });
  await check('a catalogue in trouble is told on every page, with what to do', async () => {
    const answers = '**/api/v1/system';
    await page.route(answers, async (route) => {
      const response = await route.fetch();
      const health = { state: 'full', detail: 'x', advice: 'x' };
      await route.fulfill({ response, json: { ...(await response.json()), catalogue: health } });
    });
    const bar = page.locator('[data-test=catalogue-trouble]');
    for (const path of ['wall', 'storage']) {
      await page.goto(`${url}/${path}`);
      await bar.waitFor({ timeout: 10_000 });
      const text = await bar.innerText();
      truth(text.includes('目录库所在的磁盘已满') && text.includes('腾出空间'), text);
    }
    await shoot(page, 'catalogue-trouble');
    await page.unroute(answers);
    await page.reload();
    await page.locator('[data-test=verdict]').waitFor({ timeout: 10_000 });
    equal(await bar.count(), 0, 'the bar when all is well');
  });
  await check('days kept are listed for every camera, the short ones by themselves', async () => {
    const { items } = await call(page, '/storage/cameras');
    const rows = page.locator('[data-kept]');
    await until('the cameras', 10, async () => (await rows.count()) === items.length);
    const [first] = items;
    truth((await rows.first().innerText()).includes(`/ ${first.days_required} 天`), 'no days');
    await page.selectOption('[name=kept-institution]', first.institution_id);
    const own = items.filter(({ institution_id: id }) => id === first.institution_id);
    await until('one institution', 5, async () => (await rows.count()) === own.length);
    await page.click('[data-test=only-short]');
    const short = own.filter(({ is_short: isShort }) => isShort).length;
    await until('short ones', 5, async () => (await rows.count()) === short);
    await page.click('[data-view=deletions]');
    const ledger = page.locator('[data-test=deletions]');
    await until('the ledger', 10, async () =>
      /还没有删除过录像|超过保存天数/.test(await ledger.innerText()),
    );
    await page.selectOption('[name=ledger-institution]', first.institution_id);
    await page.selectOption('[name=ledger-camera]', first.camera_id);
    await page.selectOption('[name=ledger-why]', 'missing');
    const answered = page.waitForResponse(/deletions.*from=.*to=/);
    for (const field of await ledger.locator('[type=date]').all()) await field.fill('2026-01-01');
    equal((await answered).status(), 200, 'the filtered ledger');
    await until('nothing found', 5, async () =>
      (await ledger.innerText()).includes('没有符合的结果'),
    );
  });
}

async function placing(page) {
  const newest = await until('a recording', 60, async () => {
    const query = `from=${iso(Date.now() - 3_600_000)}&to=${iso(Date.now())}`;
    const { spans } = await call(page, `/cameras/${CAMERA}/recordings?${query}`);
    const last = spans[spans.length - 1];
    return last && Date.parse(last.to) - Date.parse(last.from) > 6000 ? last : null;
  });
  await check('a marked range is held with a reason, and the timeline shows it', async () => {
    const from = Date.parse(newest.to) - 5000;
    await page.goto(`${url}/playback?camera=${CAMERA}&t=${iso(from)}`);
    await until('pictures', 15, async () => (await tiles(page))[0]?.frames > 0);
    await page.keyboard.press('h');
    await page.locator('.el-message').getByText('入点').waitFor({ timeout: 3000 });
    await page.keyboard.press('i');
    const frames = (await tiles(page))[0].frames;
    await until('some more', 10, async () => (await tiles(page))[0].frames > frames + 10);
    await page.keyboard.press('o');
    await page.keyboard.press('h');
    const reason = page.locator('[name=hold-reason]');
    await until('the reason to have the focus', 5, () =>
      reason.evaluate((field) => field === document.activeElement),
    );
    await page.keyboard.press('Enter');
    await page.getByText('请写明理由').waitFor({ timeout: 3000 });
    await reason.fill(REASON);
    await page.keyboard.press('Enter');
    const hold = await until('the hold', 10, async () => {
      const { items } = await call(page, `/holds?camera=${CAMERA}&active=true`);
      return items.find((one) => one.reason === REASON);
    });
    truth(Date.parse(hold.to) - Date.parse(hold.from) > 200, `${hold.from} to ${hold.to}`);
    truth(Math.abs(Date.parse(hold.from) - from) < 5000, `it is held from ${hold.from}`);
    const open = page.locator('[data-test=holds-open]');
    await until('its number', 5, async () => (await open.innerText()).includes('1'));
    await shoot(page, 'hold-timeline');
    await open.click();
    const list = page.locator('.el-dialog [data-hold]');
    await until('the list', 5, async () => (await list.innerText()).includes(REASON));
  });
}

async function releasing(page) {
  await check(
    'a hold is listed with the way to its recording, and released with a reason',
    async () => {
      await page.goto(`${url}/storage?show=holds`);
      const listed = page.locator('[data-hold]').filter({ hasText: REASON });
      await listed.waitFor({ timeout: 10_000 });
      const href = await listed.locator('a').getAttribute('href');
      truth(href.startsWith(`/playback?camera=${CAMERA}&t=`), `the link is ${href}`);
      await shoot(page, 'holds');
      await listed.locator('[data-test=release]').click();
      const reason = page.locator('[name=hold-reason]');
      await reason.fill('  ');
      await page.locator('.el-dialog__footer .danger').click();
      await page.getByText('请写明理由').waitFor({ timeout: 3000 });
      await reason.fill(RELEASE);
      await page.locator('.el-dialog__footer .danger').click();
      await listed.waitFor({ state: 'detached', timeout: 5000 });
      await page.click('[data-filter=released]');
      await until('it among the released', 5, async () =>
        (await listed.innerText()).includes(RELEASE),
      );
      const { items } = await call(page, `/holds?camera=${CAMERA}`);
      const [hold] = items.filter((one) => one.reason === REASON);
      equal(`${hold.released_by} ${hold.released_reason}`, `admin ${RELEASE}`, 'the release');
    },
  );
}

export async function storageChecks(browser) {
  const page = await signedIn(browser);
  await overview(page);
  await placing(page);
  await releasing(page);
  await check('storage and holds complain about nothing', async () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await page.context().close();
}
