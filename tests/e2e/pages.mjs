// Reports, institutions, import, system, languages, and what every page owes to keyboard and screen reader.
import { readFile } from 'node:fs/promises';
import { call, check, equal, shoot, signedIn, truth, until, url } from './lib.mjs';

const PAGES = ['wall', 'playback', 'events', 'uptime', 'district', 'storage', 'system'];
const CSV = [
  'township,institution_id,institution_name,institution_type,camera_id,camera_name,area,area_type,main_url,sub_url,username,password,record',
  '城桥镇,e2e-house,试验园,托育园,e2e-1,大门,门厅,entrance,rtsp://127.0.0.1:1/e2e-1,,,,off',
  '城桥镇,e2e-house,试验园,托育园,e2e-2,卫生间,一楼,toilet,rtsp://127.0.0.1:1/e2e-2,,,,off',
  '城桥镇,e2e-house,试验园,托育园,e2e-3,走廊,一楼,corridor,ftp://127.0.0.1/e2e-3,,,,off',
].join('\n');

async function report(page) {
  const today = await page.evaluate(() =>
    new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai' }).format(new Date()),
  );
  await check('the uptime page shows today’s figures as the API gives them', async () => {
    await page.goto(`${url}/uptime`);
    await page.locator('[data-kind=day]').click();
    await page.waitForURL(`**/uptime?period=${today}`);
    const answer = await call(page, `/reports/uptime?period=${today}`);
    const cameras = page.locator('[data-figure=cameras]');
    await until(
      'figures',
      10,
      async () => (await cameras.innerText()) === `${answer.totals.cameras}`,
    );
    const online = await page.locator('[data-figure=online]').innerText();
    truth(/^\d+\.\d\d\s%$/.test(online), `the online rate is "${online}"`);
    const rows = await page.locator('[data-institution]').count();
    equal(rows, answer.institutions.length, 'rows');
  });
  await check('an institution’s outages open, with a way to the recording', async () => {
    const { institutions } = await call(page, `/reports/uptime?period=${today}`);
    const bad = institutions.find(({ outages }) => outages.length > 0);
    const row = page.locator(`[data-institution="${(bad ?? institutions[0]).id}"]`);
    await row.locator('.cell').first().click();
    const list = page.locator('[data-test=outages]');
    await list.waitFor({ timeout: 5000 });
    await shoot(page, 'uptime');
    if (bad) {
      const href = await list.locator('a').first().getAttribute('href');
      truth(href.startsWith('/playback?camera='), `the link is ${href}`);
    }
  });
  await check('the report downloads as CSV', async () => {
    const [download] = await Promise.all([
      page.waitForEvent('download', { timeout: 10_000 }),
      page.click('[data-test=csv]'),
    ]);
    const text = (await readFile(await download.path())).toString('utf8');
    truth(text.split('\n').length >= 2 && text.includes(','), 'it is not a table');
  });
}

async function district(page) {
  await check('the import preview shows every wrong line and applies nothing', async () => {
    await page.goto(`${url}/district`);
    await page.click('[data-test=import]');
    const file = {
      name: 'e2e.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(CSV),
    };
    await page.setInputFiles('[data-test=import-file]', file);
    const errors = page.locator('[data-test=import-errors] tbody tr');
    await until('errors', 10, async () => (await errors.count()) >= 2);
    const lines = await errors.locator('td:first-child').allInnerTexts();
    truth(lines.includes('3') && lines.includes('4'), `lines ${lines.join(', ')}`);
    const reason = await errors.first().locator('td').last().innerText();
    truth(reason.length > 5, 'no reason');
    await shoot(page, 'import');
    const apply = page.locator('.el-dialog__footer .primary');
    truth(await apply.isDisabled(), 'it could be applied');
    await page.keyboard.press('Escape');
    const { items } = await call(page, '/cameras');
    truth(!items.some(({ id }) => id.startsWith('e2e-')), 'something was imported');
  });
  await check('a camera in a toilet is refused, and the law is named', async () => {
    await page.click('[data-test=add-camera]');
    await page.selectOption('[name=area_type]', 'toilet');
    const text = await page.locator('.field .error').first().innerText();
    truth(text.includes('法律'), `it says "${text}"`);
    await page.keyboard.press('Escape');
    await page.locator('.el-dialog').waitFor({ state: 'hidden' });
  });
  await check('a camera is added, edited and deleted', async () => {
    const id = 'e2e-camera';
    const { items } = await call(page, '/institutions');
    await page.click('[data-test=add-camera]');
    await page.fill('.el-dialog [name=name]', 'E2E');
    await page.selectOption('[name=institution]', items[0].id);
    await page.fill('[name=main_url]', 'rtsp://127.0.0.1:1/none');
    await page.fill('[name=id]', id);
    await page.locator('.el-dialog__footer .primary').click();
    const detail = page.locator('[data-test=camera-detail]');
    await until('the camera', 10, async () => (await detail.innerText()).includes(id));
    await until('its cause', 20, async () =>
      /连接被拒绝|REFUSED|拒绝/.test(await detail.innerText()),
    );
    await detail.locator('header .button').first().click();
    await page.fill('.el-dialog [name=name]', 'E2E two');
    await page.locator('.el-dialog__footer .primary').click();
    await until('the new name', 10, async () => (await detail.innerText()).includes('E2E two'));
    await shoot(page, 'district');
    await detail.locator('header .danger').click();
    await page.locator('.el-message-box__btns .el-button--primary').click();
    await until('no camera', 10, async () => {
      const list = await call(page, '/cameras');
      return !list.items.some((camera) => camera.id === id);
    });
  });
  await check('a camera whose encoder pushes is entered, with a key and its address', async () => {
    const id = 'e2e-push';
    const { push_port: port } = await call(page, '/me');
    const { items } = await call(page, '/institutions');
    await page.click('[data-test=add-camera]');
    await page.fill('.el-dialog [name=name]', 'E2E push');
    await page.selectOption('[name=institution]', items[0].id);
    await page.selectOption('[name=source]', 'push');
    await page.fill('[name=id]', id);
    await page.click('[name=make-key]');
    const key = await page.inputValue('[name=camera-password]');
    truth(/^[\w-]{24}$/.test(key), `the key is "${key}"`);
    const told = page.locator('.el-dialog [data-test=push-address]');
    truth((await told.innerText()).includes(`:${port}/${id}?key=${key}`), await told.innerText());
    await told.scrollIntoViewIfNeeded();
    await shoot(page, 'push');
    await page.locator('.el-dialog__footer .primary').click();
    const detail = page.locator('[data-test=camera-detail]');
    await until('its address', 10, async () =>
      (await detail.innerText()).includes(`:${port}/${id}`),
    );
    truth(!(await detail.innerText()).includes(key), 'the key is shown again');
    await until('that it waits', 10, async () =>
      (await detail.innerText()).includes('等待编码器推流'),
    );
    const words = detail.locator('details');
    await words.locator('summary').click();
    await until('the server’s own words', 10, async () =>
      (await words.innerText()).includes(`waits for the encoder to push to /${id}`),
    );
    await shoot(page, 'push-detail');
    await detail.locator('header .danger').click();
    await page.locator('.el-message-box__btns .el-button--primary').click();
    await until('no camera', 10, async () => {
      const list = await call(page, '/cameras');
      return !list.items.some((camera) => camera.id === id);
    });
  });
}

/** Things a person with a keyboard or a screen reader cannot do without. */
const faults = (page) =>
  page.evaluate(() => {
    const found = [];
    const isShown = (element) => element.getClientRects().length > 0;
    const nameOf = (element) =>
      (element.getAttribute('aria-label') ?? '') +
      (element.getAttribute('title') ?? '') +
      element.innerText.trim();
    for (const element of document.querySelectorAll('button, a[href]'))
      if (isShown(element) && !nameOf(element))
        found.push(`no name: ${element.outerHTML.slice(0, 80)}`);
    for (const element of document.querySelectorAll('input, select')) {
      const label = element.labels?.length || element.getAttribute('aria-label');
      const isHidden = element.tabIndex < 0;
      if (isShown(element) && !isHidden && !label)
        found.push(`no label: ${element.outerHTML.slice(0, 80)}`);
    }
    for (const element of document.querySelectorAll('img:not([alt])'))
      found.push(`no alt: ${element.outerHTML.slice(0, 80)}`);
    if (document.querySelectorAll('h1').length !== 1) found.push('not exactly one h1');
    return found;
  });

async function everyPage(page) {
  await check('every page names its buttons, fields and pictures', async () => {
    const found = [];
    for (const name of PAGES) {
      await page.goto(`${url}/${name}`);
      await page.waitForTimeout(1200);
      for (const fault of await faults(page)) found.push(`${name}: ${fault}`);
    }
    equal(found.slice(0, 5).join(' | '), '', 'faults');
  });
  await check('no page scrolls sideways at 1366 and at phone width', async () => {
    const wide = [];
    for (const [width, height] of [
      [1366, 768],
      [390, 844],
    ]) {
      await page.setViewportSize({ width, height });
      for (const name of PAGES) {
        await page.goto(`${url}/${name}`);
        await page.waitForTimeout(500);
        const over = await page.evaluate(() => document.documentElement.scrollWidth);
        if (over > width) wide.push(`${name} is ${over} px at ${width}`);
      }
    }
    await page.setViewportSize({ width: 1440, height: 810 });
    equal(wide.join(', '), '', 'too wide');
  });
  await check('the language switches and stays', async () => {
    await page.goto(`${url}/uptime`);
    await page.click('[data-test=language]');
    await until('English', 5, async () =>
      (await page.locator('nav').innerText()).includes('Institutions'),
    );
    equal(await page.evaluate(() => document.documentElement.lang), 'en', 'lang');
    await page.reload();
    await until('English', 5, async () =>
      (await page.locator('nav').innerText()).includes('Institutions'),
    );
    await shoot(page, 'english');
    await page.click('[data-test=language]');
    await until('Chinese', 5, async () => (await page.locator('nav').innerText()).includes('机构'));
  });
  await check('signing out leads to sign-in, and the API is closed', async () => {
    await page.locator('header .pop button').first().click();
    await page.getByRole('menuitem').last().click();
    await page.waitForURL('**/sign-in');
    const status = await page.evaluate(async () => (await fetch('/api/v1/cameras')).status);
    equal(status, 401, 'status');
    await page.goto(`${url}/district`);
    await page.waitForURL('**/sign-in?next=**');
  });
}

export async function pageChecks(browser) {
  const page = await signedIn(browser);
  await report(page);
  await district(page);
  await everyPage(page);
  await check('these pages complain about nothing', async () =>
    equal(page.complaints.join('; '), '', 'complaints'),
  );
  await page.context().close();
}
