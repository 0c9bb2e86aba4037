/** The part of pcap-parser 0.2.1 that the tests use; the package has no types. */
declare module 'pcap-parser' {
  import type { Readable } from 'node:stream';

  export interface Packet {
    header: { timestampSeconds: number; timestampMicroseconds: number; capturedLength: number; originalLength: number };
    data: Uint8Array;
  }

  export interface Parser {
    on(event: 'packet', listener: (packet: Packet) => void): this;
    on(event: 'packetHeader', listener: (header: { capturedLength: number }) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    on(event: 'end', listener: () => void): this;
  }

  const parser: { parse(source: string | Readable): Parser };
  export default parser;
}
