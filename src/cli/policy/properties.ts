/** The BOSH properties of a foundation file, where they differ from what silk's jobs say by themselves. */
import type { Settings } from '../../foundation/model.ts';
import { DEFAULT_SETTINGS } from '../../foundation/settings.ts';
import { type Cidr, formatCidr, formatIpv4 } from '../../wire/address.ts';

type Document = Readonly<Record<string, unknown>>;

/** `{ properties: ... }`, or nothing when all are as silk has them. */
export function describeProperties(settings: Settings): Document {
  // Connections over the limit are logged when iptables_logging is on, unless a property of their own says otherwise.
  const outboundConnections = { ...DEFAULT_SETTINGS.outboundConnections, logging: settings.logging };
  const [own, silk] = [propertiesOf(settings), propertiesOf({ ...DEFAULT_SETTINGS, outboundConnections })];
  const different = Object.entries(own).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(silk[key]));
  return different.length === 0 ? {} : { properties: Object.fromEntries(different) };
}

const services = (list: Settings['hostTcpServices']): string[] =>
  list.map(({ address, port }) => `${formatIpv4(address)}:${port}`);

const blocks = (list: readonly Cidr[]): string[] => list.map(formatCidr);

const propertiesOf = (settings: Settings): Document => ({
  iptables_logging: settings.logging,
  iptables_denied_logs_per_sec: settings.deniedLogsPerSecond,
  iptables_accepted_udp_logs_per_sec: settings.acceptedUdpLogsPerSecond,
  dns_servers: settings.dnsServers.map(formatIpv4),
  host_tcp_services: services(settings.hostTcpServices),
  host_udp_services: services(settings.hostUdpServices),
  deny_networks: {
    always: blocks(settings.denyNetworks.always),
    running: blocks(settings.denyNetworks.running),
    staging: blocks(settings.denyNetworks.staging),
  },
  enable_asg_syncing: settings.dynamicSecurityGroups,
  disable_container_network_policy: settings.disableContainerNetworkPolicy,
  ...(settings.overlayIngressRules === true ? { enable_overlay_ingress_rules: true } : {}),
  outbound_connections: {
    limit: settings.outboundConnections.limit,
    logging: settings.outboundConnections.logging,
    burst: settings.outboundConnections.burst,
    rate_per_sec: settings.outboundConnections.ratePerSecond,
    dry_run: settings.outboundConnections.dryRun,
  },
  masquerade: settings.masquerade,
  ...(settings.noMasqueradeRange === undefined
    ? {}
    : { no_masquerade_cidr_range: formatCidr(settings.noMasqueradeRange) }),
});
