// Writes a .gz beside every text asset of the build, so that the server only has to read files.
import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

const out = process.env.ROOKERY_WEB_OUT ?? '../build/web';
const kinds = new Set(['.js', '.css', '.html', '.svg', '.json', '.txt']);
const smallest = 512;

async function* walk(dir) {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

let plain = 0;
let packed = 0;
for await (const path of walk(out)) {
  if (!kinds.has(extname(path))) continue;
  const size = (await stat(path)).size;
  if (size < smallest) continue;
  await pipeline(createReadStream(path), createGzip({ level: 9 }), createWriteStream(`${path}.gz`));
  plain += size;
  packed += (await stat(`${path}.gz`)).size;
}
console.log(`precompressed ${Math.round(plain / 1024)} KiB to ${Math.round(packed / 1024)} KiB`);
