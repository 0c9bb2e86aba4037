/**
 * Policies as people and the policy server's clients see them.
 *
 * `cf network-policies` shows source, destination, protocol, ports, destination space and destination org; the server's
 * API shows GUIDs, and in its internal form tags.
 */
import type { App, Foundation, Policy } from './model.ts';
import { formatTag } from './tags.ts';

/** Headings of `cf network-policies`. */
export const NETWORK_POLICY_COLUMNS = [
  'source',
  'destination',
  'protocol',
  'ports',
  'destination space',
  'destination org',
] as const;

/** One row, in the order of the headings; a space or organisation that nobody said is empty. */
export type NetworkPolicyRow = readonly [string, string, string, string, string, string];

/** `8080`, or `8080-8090`. */
export const formatPorts = ({ start, end }: Policy['ports']): string =>
  start === end ? `${start}` : `${start}-${end}`;

/** The rows of `cf network-policies`, in the order of the policies; those of one source where `source` is given. */
export function networkPolicyRows(foundation: Foundation, source?: string): NetworkPolicyRow[] {
  const apps = new Map(foundation.apps.map((app) => [app.guid, app]));
  const rows: NetworkPolicyRow[] = [];
  for (const policy of foundation.policies) {
    const [from, to] = [apps.get(policy.source), apps.get(policy.destination)];
    if (source !== undefined && source !== policy.source && source !== from?.name) continue;
    const place = [to?.space ?? '', to?.organization ?? ''] as const;
    rows.push([
      nameOf(from, policy.source),
      nameOf(to, policy.destination),
      policy.protocol,
      formatPorts(policy.ports),
      ...place,
    ]);
  }
  return rows;
}

const nameOf = (app: App | undefined, guid: string): string => app?.name ?? guid;

/** The table as cf prints it: columns as wide as their widest cell, three spaces between. Names are not escaped. */
export function printNetworkPolicies(rows: readonly NetworkPolicyRow[]): string {
  const lines: readonly (readonly string[])[] = [NETWORK_POLICY_COLUMNS, ...rows];
  const widths = NETWORK_POLICY_COLUMNS.map((_, column) =>
    lines.reduce((width, line) => Math.max(width, line[column]!.length), 0),
  );
  const print = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('   ')
      .trimEnd();
  return `${lines.map(print).join('\n')}\n`;
}

interface PolicyDocument {
  readonly total_policies: number;
  readonly policies: readonly object[];
}

const documentOf = (policies: readonly object[]): PolicyDocument => ({ total_policies: policies.length, policies });

/** What `GET /networking/v1/external/policies` answers. */
export const externalPolicies = (foundation: Foundation): PolicyDocument =>
  documentOf(
    foundation.policies.map(({ source, destination, protocol, ports: { start, end } }) => ({
      source: { id: source },
      destination: { id: destination, protocol, ports: { start, end } },
    })),
  );

/** What the v0 API answers. It has no words for a range of ports and leaves such policies out. */
export const externalPoliciesV0 = (foundation: Foundation): PolicyDocument =>
  documentOf(
    foundation.policies
      .filter(({ ports }) => ports.start === ports.end)
      .map(({ source, destination, protocol, ports }) => ({
        source: { id: source },
        destination: { id: destination, protocol, port: ports.start },
      })),
  );

/** What `GET /networking/v1/internal/policies` answers. */
export function internalPolicies(foundation: Foundation): PolicyDocument {
  const tags = new Map(foundation.apps.map((app) => [app.guid, formatTag(app.tag ?? 0)]));
  return documentOf(
    foundation.policies.map(({ source, destination, protocol, ports: { start, end } }) => ({
      source: { id: source, tag: tags.get(source) },
      destination: { id: destination, tag: tags.get(destination), protocol, ports: { start, end } },
    })),
  );
}

/** What `GET /networking/v1/external/tags` answers: apps by tag. */
export function tagList(foundation: Foundation): { readonly tags: readonly object[] } {
  const tagged = foundation.apps.flatMap(({ guid, tag }) => (tag === null ? [] : [{ guid, tag }]));
  tagged.sort((a, b) => a.tag - b.tag);
  return { tags: tagged.map(({ guid, tag }) => ({ id: guid, tag: formatTag(tag), type: 'app' })) };
}
