/**
 * A Cloud Foundry foundation as data: the words of the platform, checked and joined.
 *
 * Everything here has passed the checks of `check.ts`: references resolve, addresses are unique and lie in their cell's
 * lease, tags belong to one app each. Addresses are unsigned 32-bit numbers.
 */
import type { Cidr } from '../wire/address.ts';

export interface Foundation {
  readonly overlay: Overlay;
  readonly cells: readonly Cell[];
  readonly apps: readonly App[];
  readonly policies: readonly Policy[];
  readonly securityGroups: readonly SecurityGroup[];
  readonly settings: Settings;
  /** Tag of the ingress router (`INGRESS_ROUTER` of type router in the policy server's tags), where one was given. */
  readonly ingressTag?: number;
}

export interface Overlay {
  readonly network: Cidr;
  readonly vni: number;
  /** UDP port of the VTEPs. */
  readonly port: number;
}

export interface Cell {
  readonly name: string;
  readonly underlay: number;
  readonly lease: Cidr;
  /** Host interfaces with a BOSH network address; `eth0` unless said otherwise. */
  readonly interfaces: readonly string[];
}

export interface App {
  readonly name: string;
  readonly guid: string;
  /** 16-bit tag as the policy server allocates it; null for an app in no policy (it has none). */
  readonly tag: number | null;
  readonly routes: readonly string[];
  readonly instances: readonly Instance[];
  /** Names of the space and organisation, where known. */
  readonly space: string | null;
  /** GUID of the space, where it is known beside its name; security groups are bound to it. */
  readonly spaceGuid?: string;
  readonly organization: string | null;
}

export interface Instance {
  readonly cell: string;
  readonly address: number;
  /** Container handle; planned as a stable stand-in where the foundation file names none. */
  readonly handle: string;
  readonly workload: 'app' | 'task' | 'staging';
  /** Host port to container port, as garden's net-in. */
  readonly ports: readonly { readonly host: number; readonly container: number }[];
  /** Ports that the app says it listens on, as the container's metadata has them. */
  readonly applicationPorts?: readonly number[];
}

export interface Policy {
  /** App GUIDs. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ports: { readonly start: number; readonly end: number };
}

export interface SecurityGroup {
  readonly name: string;
  readonly guid: string;
  readonly rules: readonly SecurityGroupRule[];
  readonly runningDefault: boolean;
  readonly stagingDefault: boolean;
  readonly runningSpaces: readonly string[];
  readonly stagingSpaces: readonly string[];
}

export interface SecurityGroupRule {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  /** Address ranges, inclusive. */
  readonly destinations: readonly { readonly low: number; readonly high: number }[];
  readonly ports: readonly { readonly start: number; readonly end: number }[];
  readonly type: number | null;
  readonly code: number | null;
  readonly log: boolean;
}

/** The BOSH properties that change what silk and the policy agent write (c2c.md section 2). */
export interface Settings {
  /** `iptables_logging` and the agent's C2C logging. */
  readonly logging: boolean;
  readonly deniedLogsPerSecond: number;
  readonly acceptedUdpLogsPerSecond: number;
  /** Link-local DNS servers, `169.254.0.53` unless said otherwise. */
  readonly dnsServers: readonly number[];
  readonly hostTcpServices: readonly { readonly address: number; readonly port: number }[];
  readonly hostUdpServices: readonly { readonly address: number; readonly port: number }[];
  readonly denyNetworks: {
    readonly always: readonly Cidr[];
    readonly running: readonly Cidr[];
    readonly staging: readonly Cidr[];
  };
  readonly dynamicSecurityGroups: boolean;
  readonly disableContainerNetworkPolicy: boolean;
  readonly outboundConnections: {
    readonly limit: boolean;
    readonly logging: boolean;
    readonly burst: number;
    readonly ratePerSecond: number;
    readonly dryRun: boolean;
  };
  /** Cells' own lease (silk since PR #148) or the overlay network is kept out of masquerading. */
  readonly masquerade: 'overlay' | 'lease';
  /** `no_masquerade_cidr_range`: kept out of masquerading in place of either. */
  readonly noMasqueradeRange?: Cidr;
  /** `enable_overlay_ingress_rules`; needs the foundation's `ingressTag`. Off unless said otherwise. */
  readonly overlayIngressRules?: boolean;
}
