// The mock's district: six institutions, twelve cameras, a day of recordings, some gaps, motion and a report.
import { spawnSync } from 'node:child_process';
import { loadClip } from './media.mjs';
import { makeStorage } from './storage.mjs';

const DAY = 86400000;
const ZONE = 8 * 3600000;
const iso = (ms) => new Date(ms).toISOString();
const dayStart = (ms) => Math.floor((ms + ZONE) / DAY) * DAY - ZONE;
const dayName = (ms) => iso(ms + ZONE).slice(0, 10);

const towns = [
  ['chengqiao', '城桥镇'],
  ['baozhen', '堡镇'],
  ['xinhe', '新河镇'],
];
const houses = [
  ['dolphin', '小海豚托育园', 'chengqiao'],
  ['cq-nursery', '城桥幼儿园托班', 'chengqiao'],
  ['pearl', '明珠托育点', 'baozhen'],
  ['greenisle', '绿岛托育园', 'baozhen'],
  ['xh-nursery', '新河幼儿园托班', 'xinhe'],
  ['sunflower', '向日葵托育点', 'xinhe'],
];
const rooms = [
  ['活动室', 'activity'],
  ['大门', 'entrance'],
];

function makeClips() {
  const mains = [0, 90, 200].map((hue) =>
    loadClip({
      name: `main-${hue}`,
      codec: 'h264',
      hue,
      size: '1280x720',
      bframes: hue === 90 ? 2 : 0,
    }),
  );
  const subs = [0, 90, 200].map((hue) =>
    loadClip({ name: `sub-${hue}`, codec: 'h264', hue, size: '640x360' }),
  );
  const hevc = loadClip({ name: 'hevc', codec: 'h265', hue: 300, size: '640x360' });
  return { mains, subs, hevc };
}

function jpeg(width) {
  const args = [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=${width}x${Math.round((width * 9) / 32) * 2}`,
  ];
  args.push('-frames:v', '1', '-ss', `${Math.random() * 5}`, '-f', 'mjpeg', '-');
  return spawnSync('ffmpeg', args).stdout;
}

class Camera {
  constructor(fields, clips) {
    Object.assign(this, fields);
    this.clips = clips;
    this.isPlugged = true;
    this.since = Date.now();
  }

  state() {
    const now = Date.now();
    const up = this.isPlugged && this.enabled;
    const cause = !this.enabled ? 'disabled' : up ? 'ok' : 'timeout';
    const evidence = iso(up ? now - 40 : this.since);
    return {
      camera_id: this.id,
      stream: 'main',
      cause,
      detail: up ? '' : 'no packet for 5 s',
      since: iso(this.since),
      reachable: up,
      reachable_at: evidence,
      advancing: up,
      advancing_at: evidence,
      recording: up,
      recorded_at: evidence,
      retry_s: cause === 'timeout' ? 8 : null,
      fps: up ? 12 : null,
      bitrate_bps: up ? 1_900_000 : null,
      codec: this.clips.main.codec,
      width: this.clips.main.width,
      height: this.clips.main.height,
      gop_s: 2,
      viewers: 1,
      reconnects: 3,
      lost_packets: 41,
      damaged_pictures: 3,
      resyncs: 0,
      unrequested_packets: 0,
      clock_offset_s: 0.31,
      has_audio: false,
      audio: { codec: null, state: 'absent', detail: 'the camera offers no sound' },
      has_sub: Boolean(this.clips.sub),
    };
  }

  json(house) {
    const {
      id,
      name,
      institution_id,
      area,
      area_type,
      main_url,
      sub_url,
      username,
      record,
      enabled,
    } = this;
    return {
      id,
      name,
      institution_id,
      area,
      area_type,
      main_url,
      sub_url,
      username,
      record,
      enabled,
      institution_name: house?.name ?? '',
      township_id: house?.township_id ?? '',
      transport: 'auto',
      on_demand: false,
      retention_days: null,
      has_password: true,
      state: this.state(),
    };
  }
}

export function makeDistrict(push) {
  const media = makeClips();
  const townships = new Map(
    towns.map(([id, name]) => [id, { id, name, institutions: 2, cameras: 4 }]),
  );
  const institutions = new Map(
    houses.map(([id, name, township_id]) => [
      id,
      {
        id,
        name,
        township_id,
        type: 'public',
        address: '',
        contact: '',
        phone: '',
        external_id: '',
        enabled: true,
        township_name: townships.get(township_id).name,
        cameras: 2,
      },
    ]),
  );
  const cameras = new Map();
  houses.forEach(([institution_id], h) =>
    rooms.forEach(([name, area_type], r) => {
      const n = h * 2 + r + 1;
      const id = `cam-${String(n).padStart(3, '0')}`;
      const clips = { main: n === 7 ? media.hevc : media.mains[n % 3], sub: media.subs[n % 3] };
      if (n === 8) Object.assign(clips, { main: media.hevc, sub: undefined });
      const fields = {
        id,
        name: `${name} ${h + 1}`,
        institution_id,
        area: name,
        area_type,
        record: 'main',
        main_url: `rtsp://127.0.0.1:9554/${id}`,
        sub_url: clips.sub ? `rtsp://127.0.0.1:9554/${id}/sub` : '',
        username: 'viewer',
        enabled: n !== 12,
      };
      cameras.set(id, new Camera(fields, clips));
    }),
  );
  const walls = new Map();
  let serial = 0;
  const api = { camera: (id) => cameras.get(id), onState: () => undefined };

  const list = (items) => ({ body: { items, next: null } });
  const cameraJson = (camera) => camera.json(institutions.get(camera.institution_id));

  function gapsOf(from, to) {
    const out = [];
    for (let day = dayStart(from); day < to; day += DAY) {
      for (const [hour, minutes, cause] of [
        [3, 24, 'timeout'],
        [9, 6, 'auth'],
        [13, 11, 'server_down'],
      ]) {
        const a = Math.max(from, day + hour * 3600000);
        const b = Math.min(to, Date.now(), day + hour * 3600000 + minutes * 60000);
        if (b > a) out.push({ from: iso(a), to: iso(b), cause });
      }
    }
    return out;
  }

  function spansOf(from, to, gaps) {
    const spans = [];
    let at = from;
    const end = Math.min(to, Date.now());
    for (const gap of [...gaps, { from: iso(end), to: iso(end) }]) {
      const until = Date.parse(gap.from);
      if (until > at)
        spans.push({ from: iso(at), to: iso(until), bytes: 1e6, frames: 1000, lost_packets: 0 });
      at = Math.max(at, Date.parse(gap.to));
    }
    return spans;
  }

  const motionAt = (ms) =>
    Math.max(0, Math.sin(ms / 3.1e6) * Math.sin(ms / 4.7e5) * Math.sin(ms / 9e4 + 1));

  function timeline(query) {
    const from = Date.parse(query.get('from'));
    const to = Date.parse(query.get('to'));
    const bucket_s = Math.max(
      1,
      Number(query.get('bucket_s') ?? (to - from) / 1e6),
      (to - from) / 1e7,
    );
    const gaps = gapsOf(from, to);
    const buckets = [];
    for (let at = from; at < to; at += bucket_s * 1000)
      buckets.push({
        recorded: at < Date.now() ? 1 : 0,
        motion: at < Date.now() ? motionAt(at) : 0,
      });
    return {
      body: {
        from: iso(from),
        to: iso(to),
        bucket_s,
        buckets,
        spans: spansOf(from, to, gaps),
        gaps,
      },
    };
  }

  function days(query) {
    const out = [];
    for (
      let at = Date.parse(`${query.get('month')}-01T00:00:00+08:00`);
      at < Date.now();
      at += DAY
    ) {
      if (dayName(at).slice(0, 7) !== query.get('month')) break;
      const bad = out.length % 5 === 3;
      out.push({ day: dayName(at), recorded_s: 86000, gap_s: bad ? 2400 : 0, motion_s: 900 });
    }
    return { body: { days: out } };
  }

  function events(query) {
    const items = [];
    const to = Date.parse(query.get('to') ?? iso(Date.now()));
    const node = (query.get('node') ?? '').replace(/^\w+:/, '');
    for (let i = 0; i < 60; i++) {
      const at = Math.min(to, Date.now()) - (i + 1) * 571000;
      const camera = node.startsWith('cam') ? cameras.get(node) : [...cameras.values()][i % 11];
      if (!camera || at < Date.parse(query.get('from') ?? iso(0))) continue;
      items.push({
        id: `e${Math.round(at / 571000)}`,
        camera_id: camera.id,
        camera_name: camera.name,
        institution_name: institutions.get(camera.institution_id)?.name ?? '',
        type: 'motion',
        from: iso(at),
        to: iso(at + 42000),
        open: i === 0,
        score: 0.2 + ((i * 37) % 70) / 100,
        region: { x: 0.3, y: 0.3, w: 0.2, h: 0.4 },
      });
    }
    return list(items);
  }

  const rates = (online, recorded, known) => ({
    online_rate: known ? online : null,
    recording_rate: known ? recorded : null,
    coverage: known,
    online_s: online * 86400,
    recorded_s: recorded * 86400,
    known_s: known * 86400,
    expected_s: 86400,
  });

  function uptime(query) {
    const period = query.get('period');
    let from = dayStart(Date.now());
    let n = 1;
    if (/^\d{4}-\d{2}$/.test(period)) {
      from = Date.parse(`${period}-01T00:00:00+08:00`);
      n = new Date(Number(period.slice(0, 4)), Number(period.slice(5)), 0).getDate();
    } else if (period.includes('W')) n = 7;
    else from = Date.parse(`${period}T00:00:00+08:00`);
    const items = [...institutions.values()].map((house, h) => {
      const dayList = Array.from({ length: n }, (_, d) => {
        const day = { day: dayName(from + d * DAY) };
        if (from + d * DAY > Date.now()) return { ...day, ...rates(0, 0, 0) };
        const online =
          h === 2 && d > 8 && d < 12 ? 0.7 : (d * 7 + h * 3) % 11 === 5 ? 0.965 : 0.998;
        return { ...day, ...rates(online, online - 0.002, 0.999) };
      });
      const start = from + 9 * 3600000;
      const outages =
        h === 2
          ? [0, 1, 2].map((k) => ({
              camera_id: 'cam-005',
              camera_name: '活动室 3',
              from: iso(start + k * 9e6),
              to: iso(start + k * 9e6 + 84e4),
              duration_s: 840,
              cause: 'timeout',
              detail: 'no packet for 5 s',
            }))
          : [];
      return {
        id: house.id,
        name: house.name,
        township_id: house.township_id,
        township_name: house.township_name,
        cameras: 2,
        ...rates(h === 2 ? 0.9132 : 0.9938, 0.9899, 0.9998),
        outage_count: outages.length,
        longest_outage_s: outages.length ? 840 : 0,
        main_cause: outages.length ? 'timeout' : null,
        days: dayList,
        outages,
      };
    });
    return {
      body: {
        period,
        from: iso(from),
        to: iso(from + n * DAY),
        generated_at: iso(Date.now()),
        time_zone: 'Asia/Shanghai',
        node: { id: '', name: '崇明区' },
        institutions: items,
        totals: { cameras: 12, ...rates(0.9921, 0.9874, 0.9998), outages: 3, own_downtime_s: 252 },
      },
    };
  }

  function importCsv(text, isDry) {
    const lines = text.trim().split(/\r?\n/);
    const errors = [];
    lines.slice(1).forEach((line, i) => {
      if (line.includes('toilet'))
        errors.push({
          line: i + 2,
          column: 'area_type',
          reason: 'the law forbids cameras in this area (toilet)',
        });
      if (!line.includes('rtsp://'))
        errors.push({ line: i + 2, column: 'main_url', reason: 'not an rtsp:// address' });
    });
    if (errors.length && !isDry)
      return {
        status: 422,
        problem: `${errors.length} lines are wrong`,
        more: { errors, code: 'import_errors', params: [String(errors.length)] },
      };
    const count = { new: errors.length ? 0 : lines.length - 1, changed: 0 };
    const none = { new: 0, changed: 0 };
    return {
      body: {
        rows: lines.length - 1,
        townships: none,
        institutions: none,
        cameras: count,
        errors,
        applied: !isDry,
      },
    };
  }

  function crud(map, method, id, body, make) {
    if (method === 'GET')
      return id ? { body: make(map.get(id)) } : list([...map.values()].map(make));
    if (method === 'DELETE') {
      map.delete(id);
      push('config', {});
      return { status: 204 };
    }
    const fields = JSON.parse(body);
    if (['toilet', 'changing', 'nursing', 'staff_rest'].includes(fields.area_type))
      return {
        status: 422,
        problem: 'The law forbids cameras in this area.',
        more: { code: 'area_forbidden', params: [] },
      };
    const key = id ?? fields.id ?? `new-${++serial}`;
    const old = map.get(key);
    if (old) Object.assign(old, fields);
    else if (map === cameras)
      map.set(key, new Camera({ ...fields, id: key }, { main: media.mains[0] }));
    else map.set(key, { township_name: '', institutions: 0, cameras: 0, ...fields, id: key });
    push('config', {});
    return { status: old ? 200 : 201, body: make(map.get(key)) };
  }

  const storage = makeStorage(cameras, (camera) => cameraJson(camera).institution_name);
  api.handle = (method, path, query, body) => {
    const [, kind, id, what] = path.split('/');
    const same = (value) => value;
    if (kind === 'townships') return crud(townships, method, id, body, same);
    if (kind === 'institutions') return crud(institutions, method, id, body, same);
    if (kind === 'walls') return crud(walls, method, id, body, same);
    if (kind === 'cameras' && !what) return crud(cameras, method, id, body, cameraJson);
    if (kind === 'states') return list([...cameras.values()].map((camera) => camera.state()));
    if (kind === 'events') return events(query);
    if (kind === 'import') return importCsv(body, query.get('dry_run') === '1');
    if (kind === 'reports') return id ? uptime(query) : list([]);
    if (kind === 'system')
      return {
        body: {
          version: '0.1.0',
          commit: 'mock',
          started_at: iso(Date.now() - 8e6),
          uptime_s: 8000,
          cpu_s: 12,
          time_zone: 'Asia/Shanghai',
          cameras: 12,
          recording: 11,
          loops: ['ingest-0'],
          rss_bytes: 9e7,
          viewers: 1,
          catalogue: { state: 'ok', detail: '', advice: '' },
        },
      };
    const stored = storage(method, kind, id, query, body);
    if (stored) return stored;
    const camera = cameras.get(id);
    if (!camera) return null;
    if (what === 'state') return { body: camera.state() };
    if (what === 'timeline') return timeline(query);
    if (what === 'recordings') {
      const gaps = gapsOf(Date.parse(query.get('from')), Date.parse(query.get('to')));
      return {
        body: {
          gaps,
          spans: spansOf(Date.parse(query.get('from')), Date.parse(query.get('to')), gaps),
        },
      };
    }
    if (what === 'days') return days(query);
    if (what === 'snapshot.jpg')
      return { body: jpeg(Math.min(1280, Number(query.get('width') ?? 640))), type: 'image/jpeg' };
    if (what === 'clip.mp4')
      return {
        body: Buffer.concat([camera.clips.main.init, camera.clips.main.frames[0].piece]),
        type: 'video/mp4',
      };
    return null;
  };

  api.setCable = (id, isPlugged) => {
    const camera = cameras.get(id);
    if (!camera) return;
    camera.isPlugged = isPlugged;
    camera.since = Date.now();
    push('state', camera.state());
  };
  return api;
}
