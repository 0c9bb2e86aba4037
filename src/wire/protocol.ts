/**
 * Numbers that say what comes next: link types, EtherTypes, IP protocols and ports.
 *
 * Sources: LINKTYPE_ values, https://www.tcpdump.org/linktypes.html; EtherTypes and IP protocol numbers, the IANA
 * registries "ieee-802-numbers" and "protocol-numbers".
 */

export const LINKTYPE = {
  NULL: 0,
  ETHERNET: 1,
  /** Raw IP as older files have it: the value of DLT_RAW on most systems, which libpcap and Wireshark read as RAW. */
  RAW_OLD: 12,
  RAW: 101,
  LOOP: 108,
  LINUX_SLL: 113,
  IPV4: 228,
  IPV6: 229,
  LINUX_SLL2: 276,
} as const;

export const ETHER_TYPE = {
  IPV4: 0x0800,
  ARP: 0x0806,
  /** 802.1Q customer tag. */
  VLAN: 0x8100,
  IPV6: 0x86dd,
  /** 802.1ad service tag. */
  SERVICE_VLAN: 0x88a8,
} as const;

/** Largest value of an Ethernet type field that is a length (IEEE 802.3 clause 3.2.6). */
export const LARGEST_LENGTH_FIELD = 1500;

export const PROTOCOL = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  ROUTING: 43,
  FRAGMENT: 44,
  GRE: 47,
  ESP: 50,
  AUTHENTICATION: 51,
  ICMP6: 58,
  NO_NEXT_HEADER: 59,
  DESTINATION: 60,
  SCTP: 132,
  UDP_LITE: 136,
} as const;

export const PORT = {
  /** RFC 7348 section 8; what silk configures. */
  VXLAN: 4789,
  /** What Linux used before the port was assigned. */
  VXLAN_LINUX: 8472,
} as const;
