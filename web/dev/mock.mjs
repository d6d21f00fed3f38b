// A stand-in for the server, to work on the app without one: `npm run mock`, then open the address it prints.
// Serves the built app, the API from memory, and the wall protocol over looped clips made by ffmpeg.
// POST /cameras/ID/pull and /plug act like the simulator's control port.
import { createServer } from 'node:http';
import { createReadStream, existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDistrict } from './district.mjs';
import { attachWall } from './wall-mock.mjs';

const port = Number(process.env.PORT ?? 8099);
const root =
  process.env.ROOKERY_WEB_OUT ?? fileURLToPath(new URL('../../build/web', import.meta.url));
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

const streams = new Set();
const district = makeDistrict((event, data) => {
  for (const response of streams)
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
});
const session = {
  user: {
    name: 'admin',
    role: 'admin',
    scope: '',
    permissions: [
      'view_live',
      'view_recorded',
      'export',
      'hold',
      'view_reports',
      'edit_district',
      'manage_users',
      'manage_system',
    ],
  },
  csrf: 'mock',
  time_zone: 'Asia/Shanghai',
  utc_offset_minutes: 480,
};

function answer(response, status, body, type = 'application/json') {
  const text = Buffer.isBuffer(body) ? body : body === undefined ? '' : JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store' });
  response.end(text);
}

function problem(response, status, detail, more = {}) {
  const body = { type: 'about:blank', title: 'Problem', status, detail, ...more };
  answer(response, status, body, 'application/problem+json');
}

function file(response, path) {
  const at = join(root, path);
  const isThere = at.startsWith(root) && existsSync(at) && statSync(at).isFile();
  const real = isThere ? at : join(root, 'index.html');
  response.writeHead(200, { 'Content-Type': types[extname(real)] ?? 'application/octet-stream' });
  createReadStream(real).pipe(response);
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const isSignedIn = (request) => (request.headers.cookie ?? '').includes('rookery_session=mock');

async function sign(request, response) {
  if (request.method === 'DELETE') {
    response.setHeader('Set-Cookie', 'rookery_session=; Path=/; Max-Age=0');
    return answer(response, 204);
  }
  const { username, password } = JSON.parse(await bodyOf(request));
  if (username !== 'admin' || password !== 'admin')
    return problem(response, 401, 'The user name or the password is wrong.', {
      code: 'credentials_wrong',
    });
  response.setHeader('Set-Cookie', 'rookery_session=mock; Path=/; HttpOnly; SameSite=Strict');
  return answer(response, 200, session);
}

async function handle(request, response) {
  const url = new URL(request.url, 'http://mock');
  const control = /^\/cameras\/([\w-]+)\/(pull|plug)$/.exec(url.pathname);
  if (control && request.method === 'POST') {
    district.setCable(control[1], control[2] === 'plug');
    wall.stateChanged(control[1]);
    return answer(response, 204);
  }
  if (!url.pathname.startsWith('/api/v1/')) return file(response, url.pathname);
  const path = url.pathname.slice('/api/v1'.length);
  if (path === '/session') return sign(request, response);
  if (!isSignedIn(request)) return problem(response, 401, 'Not signed in.');
  if (path === '/me') return answer(response, 200, session);
  if (path === '/events/stream') {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    const hello = JSON.stringify({ server_time: new Date().toISOString() });
    response.write(`event: hello\ndata: ${hello}\n\n`);
    streams.add(response);
    request.on('close', () => streams.delete(response));
    return undefined;
  }
  const body = ['POST', 'PUT', 'PATCH', 'DELETE'].includes(request.method)
    ? await bodyOf(request)
    : '';
  const result = district.handle(request.method, path, url.searchParams, body);
  if (!result) return problem(response, 404, `There is no ${path}.`);
  if (result.problem) return problem(response, result.status, result.problem, result.more);
  return answer(response, result.status ?? 200, result.body, result.type);
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => problem(response, 500, String(error)));
});
const wall = attachWall(server, district.camera);
district.onState = (id) => wall.stateChanged(id);
server.listen(port, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/ (admin, admin)`);
});
