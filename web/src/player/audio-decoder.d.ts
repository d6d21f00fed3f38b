// The part of WebCodecs that the types of TypeScript 5.6 lack (W3C WebCodecs, audio).

interface AudioData {
  readonly numberOfFrames: number;
  readonly numberOfChannels: number;
  readonly sampleRate: number;
  readonly timestamp: number;
  copyTo(destination: Float32Array, options: { planeIndex: number; format: 'f32-planar' }): void;
  close(): void;
}

interface EncodedAudioChunkInit {
  type: 'key' | 'delta';
  timestamp: number;
  data: Uint8Array;
}

interface EncodedAudioChunk {
  readonly timestamp: number;
}
declare const EncodedAudioChunk: new (init: EncodedAudioChunkInit) => EncodedAudioChunk;

interface AudioDecoderConfig {
  codec: string;
  sampleRate: number;
  numberOfChannels: number;
  description?: Uint8Array;
}

interface AudioDecoder {
  readonly state: 'unconfigured' | 'configured' | 'closed';
  configure(config: AudioDecoderConfig): void;
  decode(chunk: EncodedAudioChunk): void;
  close(): void;
}
declare const AudioDecoder: new (init: {
  output: (data: AudioData) => void;
  error: (error: DOMException) => void;
}) => AudioDecoder;
