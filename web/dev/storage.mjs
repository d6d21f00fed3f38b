// Storage of the mock server: disks in every state, cameras that are short, a ledger of some pages, holds.
const DAY = 86_400_000;
const TB = 1e12;
const iso = (ms) => new Date(ms).toISOString();
const latency = (median, p99, max) => ({ median, p99, max });

const volume = (n, more = {}) => ({
  path: `/srv/rec${n}`,
  id: `5f3c0a9e7b1d4c8${n}`,
  state: 'ok',
  is_ok: true,
  detail: '',
  total_bytes: 16 * TB,
  free_bytes: 0.9 * TB,
  reserve_bytes: 0.8 * TB,
  used_bytes: 15.1 * TB,
  errors: 0,
  last_error: '',
  last_error_at: null,
  write_latency_s: latency(0.0021, 0.0184, 0.121),
  sync_latency_s: latency(0.031, 0.21, 0.74),
  write_bps: 412e6,
  cameras: 203,
  segments: 812_345,
  bytes: 15.0 * TB,
  ...more,
});

const idle = {
  is_ok: false,
  write_latency_s: latency(0, 0, 0),
  sync_latency_s: latency(0, 0, 0),
  write_bps: 0,
  cameras: 0,
};

function makeVolumes(now) {
  return [
    volume(1),
    volume(2, {
      ...idle,
      state: 'failed',
      detail: 'volume /srv/rec2: write cam-041/main: Input/output error',
      errors: 17,
      last_error: 'Input/output error',
      last_error_at: iso(now - 95_000),
    }),
    volume(3, {
      ...idle,
      state: 'missing',
      id: '',
      detail: 'volume /srv/rec3: no marker file: the disk is not mounted',
      total_bytes: 0,
      free_bytes: 0,
      reserve_bytes: 0,
      used_bytes: 0,
    }),
    volume(4, {
      is_ok: false,
      state: 'stalled',
      detail: 'volume /srv/rec4 does not answer',
      write_latency_s: latency(0.0032, 2.4, 7.81),
      write_bps: 12e6,
      cameras: 9,
    }),
    volume(5, { errors: 1, last_error: 'Read-only file system', last_error_at: iso(now - DAY) }),
    volume(6, { free_bytes: 7.2 * TB, used_bytes: 8.8 * TB, bytes: 6.9 * TB }),
  ];
}

export function makeStorage(cameras, houseOf) {
  const start = Date.now();
  const volumes = makeVolumes(start);
  const holds = new Map();
  let serial = 0;
  const nameOf = (id) => cameras.get(id)?.name ?? '';

  function place(fields, more = {}) {
    const id = `hold-${++serial}`;
    const hold = {
      id,
      camera_id: fields.camera_id,
      camera_name: nameOf(fields.camera_id),
      from: fields.from,
      to: fields.to,
      reason: fields.reason,
      user: 'admin',
      created_at: iso(Date.now()),
      released_at: null,
      released_by: null,
      released_reason: null,
      bytes: Math.round(((Date.parse(fields.to) - Date.parse(fields.from)) / 1000) * 5e5),
      ...more,
    };
    holds.set(id, hold);
    return hold;
  }
  const ids = [...cameras.keys()];
  const range = (ago, length) => ({ from: iso(start - ago), to: iso(start - ago + length) });
  place({
    camera_id: ids[0],
    ...range(7_200_000, 900_000),
    reason: '家长投诉（案号 2026-1187）：孩子在活动室受伤，需查看前后经过',
  });
  place(
    { camera_id: ids[3], ...range(9 * DAY, 3_600_000), reason: '派出所调取' },
    {
      user: 'wang',
      created_at: iso(start - 8 * DAY),
      released_at: iso(start - DAY),
      released_by: 'admin',
      released_reason: '已移交，回执 0921',
    },
  );
  place({ camera_id: 'gone-7', ...range(60 * DAY, 2 * DAY), reason: '拆除前的录像' });

  const storage = () => ({
    volumes,
    segments: 4_874_070,
    bytes: 66.9 * TB,
    oldest: iso(start - 61 * DAY),
    bytes_per_day: 1.17 * TB,
    capacity_bytes: 72 * TB,
    required_days: 90,
    forecast_days: 61.3,
    missing_bytes: 33.4 * TB,
    held_bytes: 0.21 * TB,
    thinning: { after_days: 30, keep: 'motion' },
    as_of: iso(Date.now()),
  });

  const kept = () =>
    [...cameras.values()].map((camera, i) => {
      const days = [61.31, 12.04, 90.02, 88.7, 0][i % 5];
      return {
        camera_id: camera.id,
        name: camera.name,
        institution_id: camera.institution_id,
        institution_name: houseOf(camera),
        days_required: i === 2 ? 30 : 90,
        oldest: days ? iso(start - days * DAY) : null,
        days_kept: days,
        bytes_per_day: days ? 21.6e9 + i * 1e9 : 0,
        holds: i === 0 ? 1 : 0,
        is_short: i % 5 === 0 || i % 5 === 3,
      };
    });

  const why = ['expired', 'space', 'expired', 'missing', 'thinned', 'wang'];
  const ledger = Array.from({ length: 170 }, (_, i) => ({
    camera_id: i % 9 === 8 ? 'gone-7' : ids[i % ids.length],
    camera_name: i % 9 === 8 ? '' : nameOf(ids[i % ids.length]),
    stream: i % 3 ? 'main' : 'sub',
    from: iso(start - 90 * DAY - i * 5e6),
    to: iso(start - 90 * DAY - i * 5e6 + 14_400_000),
    at: iso(start - i * 1.1e6),
    segments: 24,
    bytes: 7.9e9 + i * 1e7,
    why: why[i % why.length],
  }));

  function deletions(query) {
    const [, node] = (query.get('node') ?? '').split(':');
    const at = Number(query.get('cursor') ?? 0);
    const limit = Number(query.get('limit') ?? 100);
    const items = ledger.filter(
      (one) =>
        (!query.get('why') || one.why === query.get('why')) &&
        (!node || one.camera_id === node || cameras.get(one.camera_id)?.institution_id === node),
    );
    const more = items.length > at + limit;
    return { items: items.slice(at, at + limit), next: more ? String(at + limit) : null };
  }

  function handleHolds(method, id, query, body) {
    if (method === 'POST') return { status: 201, body: place(JSON.parse(body)) };
    if (method === 'DELETE') {
      const hold = holds.get(id);
      hold.released_at = iso(Date.now());
      hold.released_by = 'admin';
      hold.released_reason = JSON.parse(body).reason;
      return { body: hold };
    }
    const active = query.get('active');
    const items = [...holds.values()].reverse().filter((hold) => {
      if (query.get('camera') && hold.camera_id !== query.get('camera')) return false;
      return active === null || (hold.released_at === null) === (active === 'true');
    });
    return { body: { items, next: null } };
  }

  /** Undefined when it is not of storage. */
  return (method, kind, id, query, body) => {
    if (kind === 'holds') return handleHolds(method, id, query, body);
    if (kind !== 'storage') return undefined;
    if (id === 'cameras') return { body: { items: kept(), next: null } };
    if (id === 'deletions') return { body: deletions(query) };
    return { body: storage() };
  };
}
