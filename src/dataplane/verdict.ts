/**
 * Verdicts and reasons: what became of a packet, and the stable code that says why.
 *
 * Both are small integers on the packet path. A reason's code is part of every output format and never changes its
 * meaning; where Linux has a name for the same drop (`enum skb_drop_reason`, include/net/dropreason-core.h and
 * drivers/net/vxlan), it stands beside it.
 */

export const VERDICT = {
  /** Leaves the cell towards another one, or towards the underlay. */
  FORWARD: 0,
  /** Reaches a container or the cell itself. */
  DELIVER: 1,
  /** Refused with an answer (ICMP or TCP reset). */
  REJECT: 2,
  /** Discarded without an answer. */
  DROP: 3,
  /** Discarded because a header is wrong. */
  MALFORMED: 4,
  /** Nothing that tagplane can judge (link types, protocols, IPv6 in the overlay). */
  UNSUPPORTED: 5,
  /** Seen, not judged: it is not part of the overlay of any known cell. */
  OBSERVED: 6,
} as const;

export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

export const VERDICT_NAMES = ['forward', 'deliver', 'reject', 'drop', 'malformed', 'unsupported', 'observed'] as const;

interface ReasonText {
  readonly code: string;
  /** One clause that completes "because ...". */
  readonly because: string;
  /** The kernel's name for the same event; null where it has none. */
  readonly kernel: string | null;
}

const reason = (code: string, because: string, kernel: string | null = null): ReasonText => ({ code, because, kernel });

/** Indexed by REASON. The order is not part of any format; the codes are. */
export const REASONS: readonly ReasonText[] = [
  // Decided by a rule.
  reason('policy.accept', 'a network policy allows this tag, address, protocol and port'),
  reason('conntrack.established', 'it belongs to a connection that was answered before'),
  reason('conntrack.related', 'it is an ICMP error about a connection that is known'),
  reason('overlay.source', 'a tagged packet may leave for another cell'),
  reason('overlay.ingress', 'it came through a host port and carries the ingress mark'),
  reason(
    'overlay.reject',
    'no network policy allows it, so the container’s overlay chain rejects it',
    'NETFILTER_DROP',
  ),
  reason('asg.accept', 'an application security group allows it'),
  reason('asg.reject', 'no application security group allows it', 'NETFILTER_DROP'),
  reason('input.accept', 'the cell offers this service to its containers'),
  reason('input.reject', 'the cell does not offer this service to its containers', 'NETFILTER_DROP'),
  reason('rule.accept', 'a rule accepts it'),
  reason('rule.drop', 'a rule drops it', 'NETFILTER_DROP'),
  reason('rule.reject', 'a rule rejects it', 'NETFILTER_DROP'),
  reason('chain.accept', 'no rule decided and the chain’s policy is ACCEPT'),
  reason('chain.drop', 'no rule decided and the chain’s policy is DROP', 'NETFILTER_DROP'),
  // The frame on the underlay.
  reason('frame.too-small', 'the frame is shorter than its link header', 'PKT_TOO_SMALL'),
  reason('frame.link-type', 'its link type is not supported'),
  reason('vlan.tagged', 'no VLAN device takes frames with this VLAN id', 'OTHERHOST'),
  reason('ip4.too-small', 'the frame is shorter than its IPv4 header or total length says', 'PKT_TOO_SMALL'),
  reason('ip4.header', 'its IPv4 version, header length or total length is wrong', 'IP_INHDR'),
  reason('ip4.checksum', 'its IPv4 header checksum is wrong', 'IP_CSUM'),
  reason('ip4.options', 'its IPv4 options are wrong', 'IP_INHDR'),
  reason('ip4.source-route', 'it asks for a source route', 'NOT_SPECIFIED'),
  reason('ip4.invalid-source', 'its source is a broadcast or multicast address', 'IP_INVALID_SOURCE'),
  reason('ip4.localnet', 'its source or destination is a loopback address', 'IP_LOCALNET'),
  reason('ip4.local-source', 'its source is an address of the cell that receives it', 'IP_LOCAL_SOURCE'),
  reason('ip4.ttl', 'its time to live is used up', 'IP_INHDR'),
  reason('neighbour.failed', 'no container has this address, so nobody answers for it', 'NEIGH_FAILED'),
  reason('udp.length', 'its UDP length is wrong', 'PKT_TOO_SMALL'),
  reason('udp.checksum', 'its UDP checksum is wrong', 'UDP_CSUM'),
  // The tunnel.
  reason('vxlan.too-small', 'it is too short for a VXLAN header and an inner frame', 'PKT_TOO_SMALL'),
  reason('vxlan.invalid-header', 'the VXLAN header lacks the I flag or has reserved bits set', 'VXLAN_INVALID_HDR'),
  reason('vxlan.vni', 'no VTEP of the cell has this VNI', 'VXLAN_VNI_NOT_FOUND'),
  reason('vxlan.local-mac', 'the inner source MAC is the VTEP’s own', 'LOCAL_MAC'),
  reason('vxlan.other-host', 'the inner destination MAC is not the VTEP’s', 'OTHERHOST'),
  reason('vxlan.ecn', 'the outer packet met congestion and the inner one cannot carry the mark', 'IP_TUNNEL_ECN'),
  reason('inner.ethertype', 'the inner frame carries a protocol that a cell does not take', 'UNHANDLED_PROTO'),
  reason('inner.arp', 'ARP inside the overlay is for the VTEP itself'),
  reason('ip6.unsupported', 'container-to-container networking is IPv4 only'),
  // Fragments.
  reason('fragment.incomplete', 'the other fragments of its datagram never came'),
  reason('fragment.overlap', 'fragments of its datagram overlap', 'NOT_SPECIFIED'),
  reason('fragment.duplicate', 'the same fragment was there already', 'DUP_FRAG'),
  reason('fragment.too-big', 'its datagram would be longer than 65,535 octets'),
  reason('fragment.limit', 'too many fragments wait for their datagrams'),
  // Connection tracking.
  reason('conntrack.full', 'the connection table is full'),
  reason('transport.truncated', 'its transport header is cut short', 'NETFILTER_DROP'),
  // The cell itself.
  reason('host.overlay', 'it is for the cell’s own overlay address'),
  reason('host.broadcast', 'it is for a broadcast or multicast address, which a cell does not forward'),
  // Seen only.
  reason('tap.delivered', 'it was seen behind the cell, which had let it through'),
  reason('tap.overlay', 'it was seen inside the overlay, where packets carry no tag'),
  reason('egress.sent', 'its cell sent it, and where it goes is not known'),
  reason('underlay.arp', 'ARP on the underlay'),
  reason('underlay.other', 'it is not VXLAN between known cells'),
  reason('underlay.unknown-cell', 'it is VXLAN to an address that is no known cell'),
  reason('capture.cut', 'the capture cut it before the headers that decide'),
  // Emulated cells.
  reason('ip4.invalid-destination', 'its destination is no host’s address', 'IP_INVALID_DEST'),
  reason('ip4.reverse-path', 'answers to its source would not go where it came from', 'IP_RPFILTER'),
  reason('ip4.mtu', 'it is longer than the way allows and must not be fragmented', 'PKT_TOO_BIG'),
  reason('route.none', 'the cell has no route to its destination'),
  reason('link.group', 'it came in a frame to a group, and is not for the cell itself'),
  reason('vtep.no-remote', 'the VTEP knows no cell with its destination MAC', 'NO_TX_TARGET'),
  reason('host.underlay', 'it is for the cell’s own underlay address'),
  reason('host.no-socket', 'no program of the cell listens there', 'NO_SOCKET'),
  reason('host.no-protocol', 'the cell does not speak its protocol', 'IP_NOPROTO'),
  reason('transport.too-small', 'it is too short for its transport header', 'PKT_TOO_SMALL'),
  reason('tcp.checksum', 'its TCP checksum is wrong', 'TCP_CSUM'),
  reason('icmp.checksum', 'its ICMP checksum is wrong', 'ICMP_CSUM'),
  reason('vlan.truncated', 'its VLAN tag is cut short', 'NOT_SPECIFIED'),
  reason('frame.llc', 'it is an 802.3 frame, and no protocol of a cell is spoken over LLC', 'NOT_SPECIFIED'),
  reason('vxlan.no-frame', 'it ends before the inner Ethernet header does', 'NOMEM'),
  reason('transport.short', 'it ends before its transport header does', 'NOT_SPECIFIED'),
  reason('tcp.flags', 'a program that listens takes no segment with these flags', 'TCP_FLAGS'),
  reason('tcp.reset', 'it is a reset for a program of the cell', 'TCP_RESET'),
  reason('icmp.quote', 'it is an ICMP error that quotes no whole IPv4 header', 'NOT_SPECIFIED'),
  reason('icmp.short-redirect', 'it is a redirect that quotes no whole IPv4 header', 'PKT_TOO_SMALL'),
  reason('icmp.type', 'its ICMP type is unknown', 'UNHANDLED_PROTO'),
  reason('icmp.group', 'it is ICMP to a broadcast address', 'INVALID_PROTO'),
  reason('host.nobody', 'it is a datagram to a broadcast address, and no program listens there', 'NOT_SPECIFIED'),
  reason('arp.too-small', 'it ends before its ARP addresses do', 'PKT_TOO_SMALL'),
  reason('arp.header', 'its ARP header is not one that a cell speaks', 'NOT_SPECIFIED'),
  reason('arp.ignored', 'the device takes no ARP, or not this frame'),
  reason('ip6.disabled', 'the device takes no IPv6', 'IPV6DISABLED'),
  reason('ip6.version', 'its EtherType says IPv6 and its version does not', 'UNHANDLED_PROTO'),
  reason('ip6.header', 'its IPv6 header, an address or a list of options is wrong', 'IP_INHDR'),
  reason('ip6.too-small', 'it is shorter than its IPv6 payload length says', 'PKT_TOO_SMALL'),
  reason('ip6.option', 'an IPv6 option is unknown and says that the packet must be dropped', 'UNHANDLED_PROTO'),
  reason('ip6.extension', 'an IPv6 extension header is wrong, or one that a host does not follow', 'NOT_SPECIFIED'),
  reason('ip6.no-next-header', 'nothing follows its IPv6 headers'),
];

const number = (code: string): number => REASONS.findIndex((entry) => entry.code === code);

/** Reasons by name, for code; the numbers index REASONS. */
export const REASON = {
  POLICY_ACCEPT: number('policy.accept'),
  CONNTRACK_ESTABLISHED: number('conntrack.established'),
  CONNTRACK_RELATED: number('conntrack.related'),
  OVERLAY_SOURCE: number('overlay.source'),
  OVERLAY_INGRESS: number('overlay.ingress'),
  OVERLAY_REJECT: number('overlay.reject'),
  ASG_ACCEPT: number('asg.accept'),
  ASG_REJECT: number('asg.reject'),
  INPUT_ACCEPT: number('input.accept'),
  INPUT_REJECT: number('input.reject'),
  RULE_ACCEPT: number('rule.accept'),
  RULE_DROP: number('rule.drop'),
  RULE_REJECT: number('rule.reject'),
  CHAIN_ACCEPT: number('chain.accept'),
  CHAIN_DROP: number('chain.drop'),
  FRAME_TOO_SMALL: number('frame.too-small'),
  FRAME_LINK_TYPE: number('frame.link-type'),
  VLAN_TAGGED: number('vlan.tagged'),
  IP4_TOO_SMALL: number('ip4.too-small'),
  IP4_HEADER: number('ip4.header'),
  IP4_CHECKSUM: number('ip4.checksum'),
  IP4_OPTIONS: number('ip4.options'),
  IP4_SOURCE_ROUTE: number('ip4.source-route'),
  IP4_INVALID_SOURCE: number('ip4.invalid-source'),
  IP4_LOCALNET: number('ip4.localnet'),
  IP4_LOCAL_SOURCE: number('ip4.local-source'),
  IP4_TTL: number('ip4.ttl'),
  NEIGHBOUR_FAILED: number('neighbour.failed'),
  UDP_LENGTH: number('udp.length'),
  UDP_CHECKSUM: number('udp.checksum'),
  VXLAN_TOO_SMALL: number('vxlan.too-small'),
  VXLAN_INVALID_HEADER: number('vxlan.invalid-header'),
  VXLAN_VNI: number('vxlan.vni'),
  VXLAN_LOCAL_MAC: number('vxlan.local-mac'),
  VXLAN_OTHER_HOST: number('vxlan.other-host'),
  VXLAN_ECN: number('vxlan.ecn'),
  INNER_ETHERTYPE: number('inner.ethertype'),
  INNER_ARP: number('inner.arp'),
  IP6_UNSUPPORTED: number('ip6.unsupported'),
  FRAGMENT_INCOMPLETE: number('fragment.incomplete'),
  FRAGMENT_OVERLAP: number('fragment.overlap'),
  FRAGMENT_DUPLICATE: number('fragment.duplicate'),
  FRAGMENT_TOO_BIG: number('fragment.too-big'),
  FRAGMENT_LIMIT: number('fragment.limit'),
  CONNTRACK_FULL: number('conntrack.full'),
  TRANSPORT_TRUNCATED: number('transport.truncated'),
  HOST_OVERLAY: number('host.overlay'),
  HOST_BROADCAST: number('host.broadcast'),
  TAP_DELIVERED: number('tap.delivered'),
  TAP_OVERLAY: number('tap.overlay'),
  EGRESS_SENT: number('egress.sent'),
  UNDERLAY_ARP: number('underlay.arp'),
  UNDERLAY_OTHER: number('underlay.other'),
  UNDERLAY_UNKNOWN_CELL: number('underlay.unknown-cell'),
  CAPTURE_CUT: number('capture.cut'),
  IP4_INVALID_DESTINATION: number('ip4.invalid-destination'),
  IP4_REVERSE_PATH: number('ip4.reverse-path'),
  IP4_MTU: number('ip4.mtu'),
  ROUTE_NONE: number('route.none'),
  LINK_GROUP: number('link.group'),
  VTEP_NO_REMOTE: number('vtep.no-remote'),
  HOST_UNDERLAY: number('host.underlay'),
  HOST_NO_SOCKET: number('host.no-socket'),
  HOST_NO_PROTOCOL: number('host.no-protocol'),
  TRANSPORT_TOO_SMALL: number('transport.too-small'),
  TCP_CHECKSUM: number('tcp.checksum'),
  ICMP_CHECKSUM: number('icmp.checksum'),
  VLAN_TRUNCATED: number('vlan.truncated'),
  FRAME_LLC: number('frame.llc'),
  VXLAN_NO_FRAME: number('vxlan.no-frame'),
  TRANSPORT_SHORT: number('transport.short'),
  TCP_FLAGS: number('tcp.flags'),
  TCP_RESET: number('tcp.reset'),
  ICMP_QUOTE: number('icmp.quote'),
  ICMP_SHORT_REDIRECT: number('icmp.short-redirect'),
  ICMP_TYPE: number('icmp.type'),
  ICMP_GROUP: number('icmp.group'),
  HOST_NOBODY: number('host.nobody'),
  ARP_TOO_SMALL: number('arp.too-small'),
  ARP_HEADER: number('arp.header'),
  ARP_IGNORED: number('arp.ignored'),
  IP6_DISABLED: number('ip6.disabled'),
  IP6_VERSION: number('ip6.version'),
  IP6_HEADER: number('ip6.header'),
  IP6_TOO_SMALL: number('ip6.too-small'),
  IP6_OPTION: number('ip6.option'),
  IP6_EXTENSION: number('ip6.extension'),
  IP6_NO_NEXT_HEADER: number('ip6.no-next-header'),
} as const;

/** Reasons that speak of a wrong header; packets refused for them are malformed, not merely dropped. */
const MALFORMED = Uint8Array.from(REASONS, ({ code }) =>
  /^(?:frame\.too-small|ip4\.(?:too-small|header|checksum|options)|udp\.|vxlan\.(?:too-small|no-frame|invalid-header)|vlan\.truncated|transport\.short|(?:arp|ip6)\.(?:too-small|header|version|extension))/.test(
    code,
  )
    ? 1
    : 0,
);

export const isMalformed = (reasonNumber: number): boolean => MALFORMED[reasonNumber] === 1;
