// Generated from docs/openapi.yaml by `npm run gen`; do not edit.

export type Id = string;

export type Time = string;

export type Problem = {
  type: string;
  title: string;
  status: number;
  /** A sentence for a person, in English */ detail: string;
  code?: ProblemCode;
  params?: ProblemParams;
};

export type ProblemCode = 'account_changed' | 'area_forbidden' | 'area_unknown' | 'body_long' | 'busy' | 'camera_gone' | 'catalogue_damaged' | 'catalogue_failed' | 'catalogue_full' | 'clip_long' | 'clips_busy' | 'credentials_missing' | 'credentials_wrong' | 'csv_binary' | 'csv_encoding' | 'csv_fields' | 'csv_quote' | 'deleted_meanwhile' | 'exists' | 'field_choice' | 'field_empty' | 'field_id' | 'field_long' | 'field_number' | 'field_time' | 'field_url' | 'hold_not_yours' | 'hold_released' | 'import_bytes' | 'import_camera_id_needed' | 'import_camera_twice' | 'import_column_missing' | 'import_column_twice' | 'import_column_unknown' | 'import_empty' | 'import_errors' | 'import_long' | 'import_name_differs' | 'import_rows' | 'import_township_differs' | 'import_township_needed' | 'import_value_unknown' | 'institution_gone' | 'institution_in_use' | 'last_admin' | 'live_off' | 'locked_out' | 'no_picture' | 'no_picture_decoded' | 'no_stream' | 'nothing_recorded' | 'page_old' | 'pages_many' | 'password_length' | 'pictures_busy' | 'push_key' | 'range_empty' | 'range_long' | 'reason_needed' | 'retention_range' | 'role_forbids' | 'sign_in_busy' | 'signed_out' | 'sub_needed' | 'township_gone' | 'township_in_use' | 'unknown_id' | 'unknown_node' | 'unknown_thing' | 'watch_forbidden' | 'whole_district';

export type ProblemParams = string[];

export type User = {
  name: string;
  role: 'admin';
  /** A node; empty = the district */ scope: string;
  created_at?: Time;
  permissions?: Permission[];
};

export type Permission = 'view_live' | 'view_recorded' | 'export' | 'hold' | 'view_reports' | 'edit_district' | 'manage_users' | 'manage_system';

export type Session = {
  user: {
    name: string;
    role: 'admin';
    scope: string;
    permissions: Permission[];
  };
  csrf: string | null;
  /** Of the district, e.g. Asia/Shanghai */ time_zone?: string;
  utc_offset_minutes?: number;
  /** Where encoders push to (`rtsp.listen`); null = switched off */ push_port?: number | null;
};

export type Token = {
  id: Id;
  name: string;
  created_at: Time;
  used_at: string | null;
};

export type Township = {
  id: Id;
  name: string;
  /** how many it has */ institutions: number;
  cameras: number;
};

export type TownshipInput = {
  /** generated when left out */ id?: Id;
  name?: string;
};

export type Institution = {
  id: Id;
  name: string;
  type: string;
  township_id: Id;
  township_name: string;
  address: string;
  contact: string;
  phone: string;
  external_id: string;
  enabled: boolean;
  /** how many it has */ cameras: number;
};

export type InstitutionInput = {
  id?: Id;
  name?: string;
  type?: string;
  township_id?: Id;
  address?: string;
  contact?: string;
  phone?: string;
  external_id?: string;
  enabled?: boolean;
};

export type AreaType = 'entrance' | 'activity' | 'dining' | 'sleeping' | 'outdoor' | 'corridor' | 'kitchen' | 'office' | 'other';

export type Transport = 'auto' | 'tcp' | 'udp';

export type Record = 'main' | 'sub' | 'both' | 'off';

export type Camera = {
  id: Id;
  name: string;
  institution_id: Id;
  institution_name: string;
  township_id: Id;
  area: string;
  area_type: AreaType;
  /** without a password; rtsp://, rtsps:// (TLS), rtsph:// or rtspsh:// (RTSP over HTTP or HTTPS, also written rtsp+http:// and rtsp+https://); rtmp://, rtmps://, http://, https:// (FLV, MPEG-TS, HLS, MP4), udp://[GROUP]:PORT and srt://HOST:PORT (MPEG-TS). `push:` = not pulled: the camera's encoder connects to us by RTSP (ANNOUNCE, RECORD) and pushes to rtsp://USER:KEY@SERVER:PORT/ID (sub stream: …/ID/sub) or …/ID?key=KEY; USER is `username`, or the camera's id when that is empty, KEY is `password`, which it needs */ main_url: string;
  /** as main_url; may be empty */ sub_url: string;
  username: string;
  has_password: boolean;
  transport: Transport;
  record: Record;
  on_demand: boolean;
  /** null = the configured default */ retention_days: number | null;
  enabled: boolean;
  state: CameraStateShort;
};

export type CameraInput = {
  /** generated when left out */ id?: Id;
  name?: string;
  institution_id?: Id;
  area?: string;
  area_type?: AreaType;
  main_url?: string;
  sub_url?: string;
  username?: string;
  /** of the camera; the key of one that pushes */ password?: string;
  transport?: Transport;
  record?: Record;
  on_demand?: boolean;
  retention_days?: number | null;
  enabled?: boolean;
};

export type Cause = 'ok' | 'disabled' | 'idle' | 'connecting' | 'dns' | 'refused' | 'unreachable' | 'timeout' | 'auth' | 'not_found' | 'busy' | 'protocol' | 'no_video' | 'no_keyframe' | 'unsupported' | 'disk' | 'internal';

export type CameraStateShort = {
  cause: Cause;
  detail: string;
  since: Time;
  reachable: boolean;
  advancing: boolean;
  recording: boolean;
  has_sub: boolean;
};

export type StateHistory = {
  items: StateRow[];
  next: null;
  /** The server's own runs in the range; between them nothing is known of the camera */ server_runs: ServerRun[];
};

export type StateRow = {
  from: Time;
  /** null = still so */ to: string | null;
  cause: Cause;
  /** the fact */ detail: string;
  /** newest sign of life when the state began */ evidence_at: string | null;
  reachable: boolean;
  advancing: boolean;
  recording: boolean;
};

export type ServerRun = {
  from: Time;
  /** its end */ to: string;
  /** false while it runs */ clean: boolean;
};

export type CameraState = {
  camera_id: Id;
  /** which stream the figures are of */ stream: 'main' | 'sub';
  cause: Cause;
  /** a sentence for a person */ detail: string;
  since: Time;
  reachable: boolean;
  reachable_at: string | null;
  advancing: boolean;
  advancing_at: string | null;
  recording: boolean;
  /** up to when it is on disk and playable */ recorded_at: string | null;
  /** until the next try */ retry_s: number | null;
  fps: number | null;
  bitrate_bps: number | null;
  /** jpeg: MJPEG, every picture a JPEG image and a key frame */ codec: 'h264' | 'h265' | 'jpeg' | null;
  width: number | null;
  height: number | null;
  gop_s: number | null;
  viewers: number;
  reconnects: number;
  lost_packets: number;
  /** left out because something inside was missing */ damaged_pictures: number;
  /** how often the framing of the connection was lost and found again */ resyncs: number;
  /** came over the connection on channels that nobody set up; dropped */ unrequested_packets: number;
  /** the camera's clock minus ours */ clock_offset_s: number | null;
  has_audio: boolean;
  /** what becomes of the sound; null until the stream has played */ audio: {
    /** aac, pcma, pcmu, s16be or s16le, else as the camera calls it */ codec: string | null;
    state: 'recorded' | 'unsupported' | 'left_out' | 'absent';
    /** a sentence for a person; empty when there is nothing to say */ detail: string;
  } | null;
  has_sub: boolean;
};

export type ImportCount = {
  new: number;
  changed: number;
};

export type ImportError = {
  /** of the file; the header is line 1 */ line: number;
  /** empty when the whole line is meant */ column: string;
  reason: string;
  code?: ProblemCode;
  params?: ProblemParams;
};

export type ImportResult = {
  rows: number;
  townships: ImportCount;
  institutions: ImportCount;
  cameras: ImportCount;
  errors: ImportError[];
  applied: boolean;
};

export type ImportProblem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code?: ProblemCode;
  params?: ProblemParams;
  errors: ImportError[];
};

export type Wall = {
  id: Id;
  name: string;
  layout: 1 | 4 | 9 | 16 | 25 | 36 | 64;
  tiles: (string | null)[];
};

export type WallInput = {
  id?: Id;
  name: string;
  layout: 1 | 4 | 9 | 16 | 25 | 36 | 64;
  tiles: (string | null)[];
};

export type Span = {
  from: Time;
  to: Time;
  bytes: number;
  frames: number;
  lost_packets: number;
};

export type Gap = {
  from: Time;
  to: Time;
  /** a cause of CameraState, or server_stopped, not_recorded (nobody asked for it), expired, space, thinned, unknown and the like */ cause: string;
};

export type Recordings = {
  spans: Span[];
  gaps: Gap[];
};

export type Timeline = {
  from: Time;
  to: Time;
  bucket_s: number;
  buckets: {
    recorded: number;
    motion: number;
  }[];
  spans: Span[];
  gaps: Gap[];
};

export type Region = {
  x: number;
  y: number;
  w: number;
  h: number;
};

export type Event = {
  id: string;
  camera_id: Id;
  camera_name: string;
  institution_name: string;
  type: 'motion';
  from: Time;
  to: Time;
  /** still going on */ open: boolean;
  score: number;
  region: Region;
};

export type Rates = {
  online_rate: number | null;
  recording_rate: number | null;
  coverage: number | null;
  online_s: number;
  recorded_s: number;
  known_s: number;
  expected_s: number;
};

export type Outage = {
  camera_id: Id;
  camera_name: string;
  from: Time;
  to: Time;
  duration_s: number;
  cause: string;
  detail: string;
};

export type UptimeReport = {
  period: string;
  from: Time;
  to: Time;
  generated_at: Time;
  time_zone: string;
  node: {
    id: string;
    name: string;
  };
  totals: Rates & {
    cameras: number;
    outages: number;
    own_downtime_s: number;
  };
  institutions: (Rates & {
    id: Id;
    name: string;
    township_id: Id;
    township_name: string;
    cameras: number;
    outage_count: number;
    longest_outage_s: number;
    main_cause: string | null;
    days: (Rates & {
      day: string;
    })[];
    outages: Outage[];
  })[];
};

export type Latency = {
  median: number;
  p99: number;
  max: number;
};

export type Storage = {
  volumes: {
    path: string;
    /** Of its marker file; empty while it is not mounted */ id: string;
    /** `full`: nothing is left to delete, or retention is behind. `missing`: no marker file where one was. `foreign`: files of somebody else. `swapped`: another disk than the one that was here. `taken`: in use by another server, or a copy of another volume. `failed`: an operation failed. `stalled`: an operation has not come back for 2 s, or did so late less than 30 s ago. Only `ok` and `stalled` are written to. */ state: 'ok' | 'full' | 'missing' | 'foreign' | 'swapped' | 'taken' | 'failed' | 'stalled';
    /** `state` is `ok` */ is_ok: boolean;
    /** What is wrong; empty when nothing is */ detail: string;
    total_bytes: number;
    free_bytes: number;
    reserve_bytes: number;
    used_bytes: number;
    /** Operations that failed since the server started */ errors: number;
    last_error: string;
    last_error_at: string | null;
    write_latency_s: Latency;
    sync_latency_s: Latency;
    /** Bits per second, in the last minute */ write_bps: number;
    /** Streams that are being recorded here now */ cameras: number;
    /** Finished ones and those being written */ segments: number;
    /** Of `segments` */ bytes: number;
  }[];
  /** Finished ones and those being written, up to their last whole fragment */ segments: number;
  /** Of all of these */ bytes: number;
  /** Where the oldest of them begins; null = nothing is recorded */ oldest: string | null;
  /** What the cameras recorded in the last 24 hours, or would at the pace of the shorter time they record, from ten seconds on */ bytes_per_day: number;
  /** What working volumes hold within their reserves */ capacity_bytes: number;
  /** `retention.days`; cameras may have other days of their own */ required_days: number;
  /** How many days of all cameras fit at that pace beside what is held; null = too little is recorded to tell */ forecast_days: number | null;
  /** To keep every camera for its days; 0 = enough */ missing_bytes: number;
  /** What holds in force keep, what is being written included */ held_bytes: number;
  /** null = off */ thinning: null | Thinning;
  /** Of these numbers; at most a minute old */ as_of: string;
};

export type Thinning = {
  after_days: number;
  keep: 'keyframes' | 'motion';
  /** What is left of a day that is thinned, of 1: measured on the newest one, of all streams that recorded before it. `forecast_days` and `missing_bytes` count on it. null = not known yet: they count every day whole. */ share: number | null;
};

export type Kept = {
  camera_id: Id;
  name: string;
  institution_id: Id;
  institution_name: string;
  days_required: number;
  /** Where the oldest segment begins, finished or being written, of what is there beside holds; null = nothing is recorded */ oldest: string | null;
  days_kept: number;
  /** As in Storage; 0 = not known yet, or it does not record */ bytes_per_day: number;
  /** In force */ holds: number;
  /** Something of the days required was deleted */ is_short: boolean;
};

export type Deletion = {
  camera_id: Id;
  /** Empty = the camera is no more */ camera_name: string;
  stream: 'main' | 'sub';
  from: Time;
  to: Time;
  at: Time;
  segments: number;
  bytes: number;
  /** expired, space, thinned, missing, or who deleted it */ why: string;
};

export type HoldInput = {
  camera_id: Id;
  from: Time;
  to: Time;
  reason: string;
};

export type Hold = {
  id: Id;
  camera_id: Id;
  /** Empty = the camera is no more */ camera_name: string;
  from: Time;
  to: Time;
  reason: string;
  /** Who placed it */ user: string;
  created_at: Time;
  /** null = in force */ released_at: string | null;
  released_by: string | null;
  released_reason: string | null;
  /** Of the segments that are recorded there now, what is being written included */ bytes: number;
};

export type System = {
  version: string;
  commit: string;
  started_at: Time;
  uptime_s: number;
  time_zone: string;
  cameras: number;
  recording: number;
  loops: string[];
  cpu_s: number;
  rss_bytes: number;
  viewers: number;
  catalogue: CatalogueHealth;
  /** `detail` of `catalogue` */ catalogue_trouble: string;
};

export type CatalogueHealth = {
  /** What the database said last. `full`: its disk has no room. `failed`: its disk fails. Both end when something could be written again. `damaged`: what is in it contradicts itself; stays until the next start. `removed`: somebody took its file away; a server that is stopped, not killed, puts a copy back. Recording goes on. */ state: 'ok' | 'full' | 'damaged' | 'failed' | 'removed';
  /** What is wrong; empty when nothing is */ detail: string;
  /** What to do; empty when nothing is */ advice: string;
};

export type SignInAnswer = Session;

export type GetMeAnswer = Session;

export type ListTokensAnswer = {
  items: Token[];
  next: string | null;
};

export type CreateTokenAnswer = {
  id: Id;
  token: string;
};

export type ListUsersAnswer = {
  items: User[];
  next: string | null;
};

export type CreateUserAnswer = User;

export type GetUserAnswer = User;

export type ChangeUserAnswer = User;

export type ListTownshipsAnswer = {
  items: Township[];
  next: string | null;
};

export type CreateTownshipAnswer = Township;

export type GetTownshipAnswer = Township;

export type PutTownshipAnswer = Township;

export type PatchTownshipAnswer = Township;

export type ListInstitutionsAnswer = {
  items: Institution[];
  next: string | null;
};

export type CreateInstitutionAnswer = Institution;

export type GetInstitutionAnswer = Institution;

export type PutInstitutionAnswer = Institution;

export type PatchInstitutionAnswer = Institution;

export type ListCamerasAnswer = {
  items: Camera[];
  next: string | null;
};

export type CreateCameraAnswer = Camera;

export type GetCameraAnswer = Camera;

export type PutCameraAnswer = Camera;

export type PatchCameraAnswer = Camera;

export type ImportDistrictAnswer = ImportResult;

export type ListWallsAnswer = {
  items: Wall[];
  next: string | null;
};

export type CreateWallAnswer = Wall;

export type GetWallAnswer = Wall;

export type PutWallAnswer = Wall;

export type ListStatesAnswer = {
  items: CameraState[];
  next: string | null;
};

export type GetCameraStateAnswer = CameraState;

export type GetCameraStatesAnswer = StateHistory;

export type GetRecordingsAnswer = Recordings;

export type GetTimelineAnswer = Timeline;

export type GetDaysAnswer = {
  days: {
    day: string;
    recorded_s: number;
    gap_s: number;
    motion_s: number;
  }[];
};

export type ListEventsAnswer = {
  items: Event[];
  next: string | null;
};

export type ListReportsAnswer = {
  items: {
    period: string;
    generated_at: Time;
  }[];
  next: string | null;
};

export type GetUptimeAnswer = UptimeReport;

export type ListHoldsAnswer = {
  items: Hold[];
  next: string | null;
};

export type AddHoldAnswer = Hold;

export type ReleaseHoldAnswer = Hold;

export type GetStorageAnswer = Storage;

export type ListKeptAnswer = {
  items: Kept[];
  next: string | null;
};

export type ListDeletionsAnswer = {
  items: Deletion[];
  next: string | null;
};

export type GetSystemAnswer = System;
