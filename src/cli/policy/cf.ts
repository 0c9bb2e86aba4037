/** Policies as cf shows them, and what the policy server's forms need besides its own documents. */
import type { App, Foundation } from '../../foundation/model.ts';
import { networkPolicyRows, printNetworkPolicies } from '../../foundation/policy-list.ts';
import { formatTag } from '../../foundation/tags.ts';
import { UsageError } from '../exit.ts';
import { listed } from '../sources/text.ts';
import { printable } from '../text.ts';

/** The app called `name`, by name or GUID. */
function requireApp({ apps }: Foundation, name: string): void {
  if (apps.some((app) => app.name === name || app.guid === name)) return;
  const known = apps.length === 0 ? 'no app is known' : `known: ${listed(apps.map((app) => app.name))}`;
  throw new UsageError(`--source ${name}: there is no app with this name or GUID; ${known}`);
}

/** The table of `cf network-policies`. */
export function printTable(foundation: Foundation, source: string | undefined): string {
  if (source !== undefined) requireApp(foundation, source);
  const rows = networkPolicyRows(foundation, source);
  return printNetworkPolicies(
    rows.map(([from, to, protocol, ports, space, organization]) => [
      printable(from),
      printable(to),
      protocol,
      ports,
      printable(space),
      printable(organization),
    ]),
  );
}

/** The same with GUIDs and tags, as a document. */
export function policyDocument(foundation: Foundation, source: string | undefined): object {
  if (source !== undefined) requireApp(foundation, source);
  const apps = new Map(foundation.apps.map((app) => [app.guid, app]));
  return {
    schemaVersion: 1,
    policies: foundation.policies
      .filter((policy) => source === undefined || source === policy.source || source === apps.get(policy.source)?.name)
      .map(({ source: from, destination, protocol, ports }) => ({
        source: appDocument(apps.get(from)!),
        destination: appDocument(apps.get(destination)!),
        protocol,
        ports,
      })),
  };
}

const appDocument = ({ name, guid, tag, space, organization }: App): object => ({
  name,
  guid,
  tag: tag === null ? null : formatTag(tag),
  space,
  organization,
});

/** How many policies the v0 API has no words for. */
export const rangesOf = ({ policies }: Foundation): number =>
  policies.filter(({ ports }) => ports.start !== ports.end).length;

/** Names of the apps in policies whose tag nothing says. */
export function untagged({ apps, policies }: Foundation): string[] {
  const used = new Set(policies.flatMap(({ source, destination }) => [source, destination]));
  return apps.filter(({ guid, tag }) => tag === null && used.has(guid)).map(({ name }) => name);
}

/** Refuse to print tags that nothing told. */
export function requireTags(foundation: Foundation): void {
  const names = untagged(foundation);
  if (names.length === 0) return;
  throw new UsageError(
    `the internal form has the tag of every app, and nothing says that of ${listed(names)}: give --tags FILE`,
  );
}
