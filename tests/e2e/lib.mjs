// The tools of the end-to-end checks: one browser, waiting for conditions with a deadline, counting results.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');

export const url = need('ROOKERY_URL').replace(/\/$/, '');
export const password = need('ROOKERY_PASSWORD');
export const control = need('CAMSIM_CONTROL_URL').replace(/\/$/, '');
const shots = process.env.ROOKERY_SHOTS ?? '';

function need(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`set ${name}: ROOKERY_URL, ROOKERY_PASSWORD and CAMSIM_CONTROL_URL are needed`);
    process.exit(2);
  }
  return value;
}

const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function startBrowser() {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** A page of its own, signed out. What the page itself complains about is collected in `complaints`. */
export async function newPage(
  browser,
  { width = 1440, height = 810, language = 'zh-CN', address = url } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    locale: language,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(error.message));
  page.on('console', (message) => {
    const isExpected = /status of (401|403|404|422|503)/.test(message.text());
    if (message.type() === 'error' && !isExpected) page.complaints.push(message.text());
  });
  await page.goto(`${address}/sign-in`);
  await page.evaluate((value) => localStorage.setItem('rookery.language', value), language);
  await page.reload();
  return page;
}

export async function signIn(page, secret = password) {
  await page.fill('[name=username]', 'admin');
  await page.fill('[name=password]', secret);
  await page.click('button[type=submit]');
}

export async function signedIn(browser, options) {
  const page = await newPage(browser, options);
  await signIn(page);
  await page.waitForURL('**/wall');
  return page;
}

export async function shoot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`) });
}

/** Asks again and again until it holds; says what was wrong last when it never does. */
export async function until(what, seconds, ask) {
  const deadline = Date.now() + seconds * 1000;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return answer;
      last = '';
    } catch (error) {
      last = `: ${error.message}`;
    }
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${seconds} s${last}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function equal(actual, expected, what) {
  if (actual !== expected) throw new Error(`${what}: expected ${expected}, got ${actual}`);
}

export function truth(value, what) {
  if (!value) throw new Error(what);
}

/** What the page knows about its tiles. */
export const tiles = (page) => page.evaluate(() => window.__rookery?.tiles ?? []);
export const tileOf = async (page, camera) =>
  (await tiles(page)).find((tile) => tile.camera === camera);

/** A number made of the picture's pixels, read from where the browser really draws. */
export const pixels = (page, camera) =>
  page.evaluate((id) => {
    const picture = document.querySelector(`[data-camera="${id}"] .picture`);
    if (!picture) return 0;
    const canvas = document.createElement('canvas');
    canvas.width = 160;
    canvas.height = 90;
    const context = canvas.getContext('2d');
    context.drawImage(picture, 0, 0, 160, 90);
    const { data } = context.getImageData(0, 0, 160, 90);
    let sum = 7;
    for (let i = 0; i < data.length; i += 4)
      sum = (sum * 31 + data[i] + data[i + 1] * 3 + data[i + 2] * 7) >>> 0;
    return sum;
  }, camera);

/** The same API as the page uses, with the page's session. */
export const call = (page, path) =>
  page.evaluate(async (at) => (await fetch(`/api/v1${at}`)).json(), path);

export async function cable(camera, verb) {
  const answer = await fetch(`${control}/cameras/${camera}/${verb}`, {
    method: 'POST',
  });
  truth(answer.ok, `the simulator refused to ${verb} ${camera}: ${answer.status}`);
}

let passed = 0;
let failed = 0;

export async function check(name, body) {
  const started = Date.now();
  try {
    await body();
    passed += 1;
    console.log(`ok ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}: ${error.message.split('\n')[0]}`);
  }
}

export function summary() {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}
