/**
 * tagplane as a library: the public surface, and nothing but it.
 *
 * Captures are read (`openSource`, `open`, `merge`) and written; foundations are read and planned into rules; rules are
 * parsed, printed, evaluated and compiled; a dataplane judges what `play` feeds it. `createJourneys` and `followJourneys`
 * hold captures of several taps against emulated cells (docs/journeys.md has an example).
 */
export { BURST_CAPACITY, create as createRecordBurst, type RecordBurst } from './capture/burst.ts';
export { CaptureError, OutputError } from './capture/error.ts';
export { openSink, openSource } from './capture/file.ts';
export { merge } from './capture/merge.ts';
export { type CaptureReader, open, type RecordSource } from './capture/reader.ts';
export { type ByteSource, fromOctets } from './capture/source.ts';
export { type CaptureWriter, type PcapngWriter, pcapngWriter, pcapWriter } from './capture/writer.ts';
export { type Burst, create as createBurst, HELD, NOTE } from './dataplane/burst.ts';
export type { Dataplane, Options as DataplaneOptions } from './dataplane/dataplane.ts';
export { type LogContext, type LogTarget, logLine } from './dataplane/log/line.ts';
export { type LoggedLine, takeLines } from './dataplane/log/lines.ts';
export { createMatcher, type Matcher, matchAll, matchBurst } from './dataplane/match.ts';
export { type CellRules, createDataplane } from './dataplane/setup.ts';
export { REASON, REASONS, VERDICT, VERDICT_NAMES, type Verdict } from './dataplane/verdict.ts';
export { createDirectory, type Directory } from './foundation/directory.ts';
export { FoundationError } from './foundation/error.ts';
export type { App, Cell, Foundation, Instance, Policy, SecurityGroup, Settings } from './foundation/model.ts';
export { plan } from './foundation/plan.ts';
export { readFoundation } from './foundation/read.ts';
export { type Arena, heap, reserve } from './memory/arena.ts';
export { createEnds } from './replay/ends.ts';
export { type FlowSums, flowSums } from './replay/flow-sums.ts';
export {
  add as addFlows,
  create as createFlows,
  type Flow,
  type FlowTable,
  list as listFlows,
} from './replay/flows.ts';
export { type Followed, follow as followJourneys } from './replay/journeys/follow.ts';
export {
  createJourneys,
  finish as finishJourneys,
  show as showTap,
  take as takeCaptured,
  watch as watchTap,
} from './replay/journeys/journeys.ts';
export {
  type Captured,
  FOUND,
  type Found,
  type Journey,
  type JourneyListener,
  type JourneySettings,
  ORIGIN,
  type Origin,
  type Place,
  type Seen,
} from './replay/journeys/model.ts';
export type { Journeys } from './replay/journeys/state.ts';
export { TapError } from './replay/journeys/taps.ts';
export { type Observer, type Playback, play } from './replay/player.ts';
export { type Summary, summarise } from './replay/summary.ts';
export { compile } from './rules/compile.ts';
export { countedTable } from './rules/counted.ts';
export { RuleError } from './rules/error.ts';
export type { Evaluator } from './rules/evaluator.ts';
export { InterfaceNames } from './rules/interfaces.ts';
export type { Chain, Match, Rule, Ruleset, Table, Target } from './rules/model.ts';
export { createOutcome, createPacket, type Outcome, type RulePacket } from './rules/packet.ts';
export { parseRuleset } from './rules/parse.ts';
export { printSave } from './rules/print-save.ts';
export { createReference } from './rules/reference.ts';
export * as address from './wire/address.ts';
export * as arp from './wire/arp.ts';
export * as checksum from './wire/checksum.ts';
export * as ethernet from './wire/ethernet.ts';
export { type Explanation, explain } from './wire/explain.ts';
export * as extension from './wire/extension.ts';
export { FAULT, type Fault, name as faultName } from './wire/fault.ts';
export * as fragment6 from './wire/fragment6.ts';
export * as icmp from './wire/icmp.ts';
export * as icmp6 from './wire/icmp6.ts';
export * as integrity from './wire/integrity.ts';
export * as ipv4 from './wire/ipv4.ts';
export * as ipv6 from './wire/ipv6.ts';
export { locate } from './wire/layers.ts';
export * as loopback from './wire/loopback.ts';
export * as sll from './wire/sll.ts';
export * as sll2 from './wire/sll2.ts';
export { create as createLayers, type Layers, type Stack } from './wire/stack.ts';
export * as tcp from './wire/tcp.ts';
export * as udp from './wire/udp.ts';
export * as vlan from './wire/vlan.ts';
export * as vxlan from './wire/vxlan.ts';
