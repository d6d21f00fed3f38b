// End-to-end checks of the web app in real Chromium, against a running server and simulator:
// ROOKERY_URL, ROOKERY_PASSWORD (of admin), CAMSIM_CONTROL_URL; ROOKERY_SHOTS = a folder for screenshots.
// MJPEG_URL = of a camera that sends MJPEG. `run.mjs player wall sound playback storage pages mjpeg` runs some of the parts. The last line reads "N passed, N failed".
import { startBrowser, summary } from './lib.mjs';
import { mjpegChecks } from './mjpeg.mjs';
import { pageChecks } from './pages.mjs';
import { playbackChecks } from './playback.mjs';
import { playerChecks } from './player.mjs';
import { soundChecks } from './sound.mjs';
import { storageChecks } from './storage.mjs';
import { wallChecks } from './wall.mjs';

const parts = {
  player: playerChecks,
  wall: wallChecks,
  sound: soundChecks,
  playback: playbackChecks,
  storage: storageChecks,
  pages: pageChecks,
  mjpeg: mjpegChecks,
};
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !(name in parts));
if (unknown) {
  console.error(
    `usage: run.mjs [player] [wall] [sound] [playback] [storage] [pages] [mjpeg]; there is no part ${unknown}`,
  );
  process.exit(2);
}

const browser = await startBrowser();
try {
  for (const [name, run] of Object.entries(parts)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    try {
      await run(browser);
    } catch (error) {
      console.log(`FAIL ${name}: ${error.stack}`);
      process.exitCode = 1;
    }
  }
} finally {
  await browser.close();
}
if (!summary()) process.exitCode = 1;
