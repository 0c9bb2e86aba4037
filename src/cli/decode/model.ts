/**
 * What `tagplane decode` says of one packet, as plain data: the one source of the line, the fields and the JSON.
 *
 * The keys are the schema of docs/decode.md. A header that is not there is null, never left out. Offsets and lengths are
 * in octets; addresses are text in their usual notation; offsets within a packet count from its first octet.
 */

/**
 * good and bad: computed and compared. partial: the sum of the pseudo-header alone, which a sender with checksum offload
 * leaves for its network card to complete. absent: the sender computed none (UDP checksum 0). unverified: octets that
 * the sum covers are missing (cut by the capture, or in other fragments).
 */
export type ChecksumStatus = 'good' | 'bad' | 'partial' | 'absent' | 'unverified';

export interface DecodedEthernet {
  source: string;
  destination: string;
  /** EtherType, or the length of an 802.3 frame where it is at most 1500. */
  type: number;
}

/** Linux cooked capture, version 1 or 2. */
export interface DecodedCooked {
  version: 1 | 2;
  packetType: number;
  hardwareType: number;
  address: string;
  protocol: number;
  interfaceIndex: number | null;
}

export interface DecodedVlan {
  priority: number;
  dropEligible: boolean;
  identifier: number;
  type: number;
}

export interface DecodedArp {
  hardwareType: number;
  protocolType: number;
  operation: number;
  senderHardware: string;
  senderProtocol: string;
  targetHardware: string;
  targetProtocol: string;
}

export interface DecodedIp4 {
  version: 4;
  source: string;
  destination: string;
  /** Name that the foundation has for the address: an app for a container, a cell for its underlay or VTEP address. */
  sourceName: string | null;
  destinationName: string | null;
  headerLength: number;
  totalLength: number;
  identification: number;
  reservedFlag: boolean;
  dontFragment: boolean;
  moreFragments: boolean;
  fragmentOffset: number;
  timeToLive: number;
  protocol: number;
  dscp: number;
  ecn: number;
  checksum: number;
  checksumStatus: ChecksumStatus;
}

export interface DecodedIp6 {
  version: 6;
  source: string;
  destination: string;
  payloadLength: number;
  nextHeader: number;
  hopLimit: number;
  dscp: number;
  ecn: number;
  flowLabel: number;
  /** Protocol numbers of the extension headers walked, in order. */
  extensions: number[];
}

/** The IPv6 fragment header. */
export interface DecodedFragment {
  nextHeader: number;
  fragmentOffset: number;
  moreFragments: boolean;
  identification: number;
}

export interface DecodedTcp {
  sourcePort: number;
  destinationPort: number;
  sequenceNumber: number;
  acknowledgmentNumber: number;
  headerLength: number;
  /** The 4 bits in front of the flags. */
  reserved: number;
  flags: number;
  /** As tcpdump writes them: `S` SYN, `F` FIN, `P` PSH, `R` RST, `.` ACK, `U` URG, `E` ECE, `W` CWR. */
  flagLetters: string;
  window: number;
  urgentPointer: number;
  /** As tcpdump writes them: `mss 1410`, `sackOK`, `wscale 7`. */
  options: string[];
  checksum: number;
  checksumStatus: ChecksumStatus;
}

export interface DecodedUdp {
  sourcePort: number;
  destinationPort: number;
  length: number;
  checksum: number;
  checksumStatus: ChecksumStatus;
}

/** ICMP and ICMPv6; which of the nullable numbers are there depends on the type. */
export interface DecodedIcmp {
  type: number;
  code: number;
  checksum: number;
  checksumStatus: ChecksumStatus;
  identifier: number | null;
  sequenceNumber: number | null;
  /** Router of an ICMP redirect; target of an ICMPv6 neighbor message. */
  address: string | null;
  mtu: number | null;
  pointer: number | null;
  /** The packet that an error complains about, as far as it is quoted. */
  quoted: DecodedQuote | null;
}

export interface DecodedQuote {
  ip4: DecodedIp4 | null;
  ip6: DecodedIp6 | null;
  /** Protocol behind the extension headers. */
  protocol: number;
  sourcePort: number | null;
  destinationPort: number | null;
}

export interface DecodedVxlan {
  /** The first 16 bits of the header. */
  flags: number;
  /** Of the flags that have a name, in the order of the header: `GIDA`. */
  flagLetters: string;
  groupPolicy: boolean;
  instance: boolean;
  dontLearn: boolean;
  policyApplied: boolean;
  /** The 12 other flag bits, in place. */
  reservedFlags: number;
  groupPolicyId: number;
  /** App that the foundation has for the group policy id, where the G flag is set. */
  app: string | null;
  vni: number;
  /** The last octet. */
  reserved: number;
}

export interface DecodedFault {
  name: string;
  /** Of the refused header, from the first octet of the packet. */
  offset: number;
  /** The header goes on behind the octets that are here: the capture cut the packet, or a fragment ends. It may be well. */
  cut: boolean;
  sentence: string;
}

/** The headers of one frame: the one on the wire, or the one inside VXLAN. */
export interface DecodedStack {
  ethernet: DecodedEthernet | null;
  cooked: DecodedCooked | null;
  loopback: { family: number } | null;
  vlans: DecodedVlan[];
  /** EtherType behind the VLAN tags; null for raw IP and for 802.3 frames with a length. */
  etherType: number | null;
  arp: DecodedArp | null;
  ip4: DecodedIp4 | null;
  ip6: DecodedIp6 | null;
  fragment: DecodedFragment | null;
  /** IP protocol behind the extension headers. */
  protocol: number | null;
  tcp: DecodedTcp | null;
  udp: DecodedUdp | null;
  icmp: DecodedIcmp | null;
  icmp6: DecodedIcmp | null;
  /** Octets behind the last header that was found, as the lengths in the headers state them. */
  payloadLength: number;
  /** Of those, the octets in the capture. */
  payloadCaptured: number;
  fault: DecodedFault | null;
}

export interface DecodedPacket {
  file: string;
  /** From 1, within its file. */
  packet: number;
  /** Offset of the packet's record in its decompressed file. */
  offset: number;
  /** Nanoseconds since 1970, as text: JSON numbers cannot hold them. */
  timestamp: string;
  /** Figures behind the second that the file has: 6 or 9. */
  timestampDigits: 6 | 9;
  interfaceIndex: number;
  capturedLength: number;
  originalLength: number;
  linkType: number;
  outer: DecodedStack;
  vxlan: DecodedVxlan | null;
  inner: DecodedStack | null;
}
