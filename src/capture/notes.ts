/**
 * Oddities of a capture that do not stop its reading, counted.
 */
export interface Notes {
  /** Captured length above the snapshot length that the file states (snoop-like writers do this for all packets). */
  capturedBeyondSnapLength: number;
  /** Captured length above the length on the wire. */
  capturedBeyondOriginal: number;
  /** Captured and original length exchanged, as pcap versions before 2.3 wrote them. */
  lengthsExchanged: number;
  /** Microseconds or nanoseconds that make a second or more; they were carried over. */
  fractionBeyondSecond: number;
  /** Packets with a time before that of the packet before. */
  timeBackwards: number;
  /** Packets whose distance to the epoch is too long for exact nanoseconds (more than 104 days). */
  timeInexact: number;
  /** Packets without a time (Simple Packet Blocks): they get the time of the packet before. */
  withoutTime: number;
  /** Packets of an interface that was not described: not handed out. */
  unknownInterface: number;
  /** Sections whose stated length is not where the next section began. */
  sectionLength: number;
  /** Blocks that carry no packet and were passed over (names, statistics, secrets, custom and unknown blocks). */
  skippedBlocks: number;
  /** The file grew or shrank while it was read. */
  sizeChanged: number;
}

export const create = (): Notes => ({
  capturedBeyondSnapLength: 0,
  capturedBeyondOriginal: 0,
  lengthsExchanged: 0,
  fractionBeyondSecond: 0,
  timeBackwards: 0,
  timeInexact: 0,
  withoutTime: 0,
  unknownInterface: 0,
  sectionLength: 0,
  skippedBlocks: 0,
  sizeChanged: 0,
});
