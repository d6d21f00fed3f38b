// The text messages of the wall protocol (docs/wall-protocol.md).

export type StreamName = 'main' | 'sub';
export type StreamChoice = StreamName | 'auto';

/** What a seek looks for, from the picture at its time. */
export type Pick = 'at' | 'before' | 'key_before' | 'key_after';

export interface HelloMessage {
  type: 'hello';
  protocol: string;
  server_time: string;
  max_tiles: number;
}

export interface SubscribedMessage {
  type: 'subscribed';
  tile: number;
  gen: number;
  camera: string;
  stream: StreamName;
  mode: 'live' | 'recorded';
}

/** Which picture a seek with a pick found. */
export interface PickedMessage {
  type: 'picked';
  tile: number;
  gen: number;
  at: string;
}

export interface FormatMessage {
  type: 'format';
  tile: number;
  gen: number;
  codec: string;
  codec_string: string;
  width: number;
  height: number;
  audio: string | null;
}

export interface StateMessage {
  type: 'state';
  tile: number;
  gen: number;
  advancing: boolean;
  cause: string;
  detail: string;
  retry_s: number | null;
}

export interface GapMessage {
  type: 'gap';
  tile: number;
  gen: number;
  from: string;
  to: string;
  cause: string;
}

export interface EndMessage {
  type: 'end';
  tile: number;
  gen: number;
  at: string;
}

export interface DroppedMessage {
  type: 'dropped';
  tile: number;
  gen: number;
  packets: number;
}

export interface ErrorMessage {
  type: 'error';
  tile?: number;
  gen?: number;
  code: string;
  detail: string;
}

export interface PongMessage {
  type: 'pong';
  t: number;
}

export type TileMessage =
  | SubscribedMessage
  | PickedMessage
  | FormatMessage
  | StateMessage
  | GapMessage
  | EndMessage
  | DroppedMessage
  | ErrorMessage;

export type ServerMessage = HelloMessage | PongMessage | TileMessage;

const known = new Set([
  'hello',
  'pong',
  'subscribed',
  'picked',
  'format',
  'state',
  'gap',
  'end',
  'dropped',
  'error',
]);

/** Null for what is not JSON or not a message of this protocol version. */
export function parseServerMessage(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('type' in value)) return null;
  return typeof value.type === 'string' && known.has(value.type) ? (value as ServerMessage) : null;
}
