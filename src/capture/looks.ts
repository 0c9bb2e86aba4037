/**
 * What a file that is no capture looks like, for the error message: a table of first octets.
 *
 * Sources: the formats' own descriptions, and the magic numbers of Wireshark's wiretap readers.
 */
interface Look {
  readonly name: string;
  /** Octets from `at` on, in hexadecimal. */
  readonly magic: string;
  readonly at?: number;
  readonly hint?: string;
}

const text = (ascii: string): string =>
  Array.from(ascii, (one) => one.charCodeAt(0).toString(16).padStart(2, '0')).join('');

const CONVERT = 'convert it with editcap -F pcapng';
const UNPACK = 'unpack it first';

const LOOKS: readonly Look[] = [
  {
    name: 'a git-LFS pointer',
    magic: text('version https://git-lfs'),
    hint: 'fetch the file itself with git lfs pull',
  },
  { name: 'gzip data', magic: '1f8b', hint: UNPACK },
  { name: 'zstd data', magic: '28b52ffd', hint: UNPACK },
  { name: 'LZ4 data', magic: '04224d18', hint: 'unpack it first with lz4 -d' },
  { name: 'xz data', magic: 'fd377a585a00', hint: 'unpack it first with xz -d' },
  { name: 'bzip2 data', magic: text('BZh'), hint: 'unpack it first with bzip2 -d' },
  { name: 'a zip archive', magic: '504b0304', hint: 'unpack it first with unzip' },
  { name: 'an empty zip archive', magic: '504b0506' },
  { name: 'a 7z archive', magic: '377abcaf271c', hint: 'unpack it first with 7z x' },
  { name: 'a RAR archive', magic: text('Rar!'), hint: UNPACK },
  { name: 'a tar archive', magic: text('ustar'), at: 257, hint: 'unpack it first with tar -x' },
  { name: 'a snoop capture', magic: text('snoop'), hint: CONVERT },
  { name: 'a Microsoft Network Monitor 2 capture', magic: text('GMBU'), hint: CONVERT },
  { name: 'a Microsoft Network Monitor 1 capture', magic: text('RTSS'), hint: CONVERT },
  { name: 'a Sniffer capture', magic: text('TRSNIFF data'), hint: CONVERT },
  { name: 'an EyeSDN capture', magic: text('EyeSDN'), hint: CONVERT },
  { name: 'a Microsoft event trace', magic: text('ETL'), hint: 'convert it with etl2pcapng' },
  { name: 'a NetXray capture', magic: text('XCP'), hint: CONVERT },
  { name: 'an iptrace capture', magic: text('iptrace'), hint: CONVERT },
  { name: 'a BTSnoop capture', magic: text('btsnoop'), hint: CONVERT },
  { name: 'a pcap file of Kuznetzov’s second patch', magic: '34cdb2a1', hint: CONVERT },
  { name: 'a pcap file of an Ixia device', magic: '1c0001ac', hint: CONVERT },
  { name: 'a pcap file of an Ixia device', magic: 'ac01001c', hint: CONVERT },
  { name: 'a pcap file of an Ixia device', magic: '1c0001ab', hint: CONVERT },
  { name: 'a pcap file of an Ixia device', magic: 'ab01001c', hint: CONVERT },
  { name: 'a JPEG image', magic: 'ffd8ff' },
  { name: 'a PNG image', magic: '89504e47' },
  { name: 'a GIF image', magic: text('GIF8') },
  { name: 'a PDF document', magic: text('%PDF') },
  { name: 'an ELF program', magic: '7f454c46' },
  { name: 'an SQLite database', magic: text('SQLite format 3') },
  { name: 'an HTML page', magic: text('<!DOCTYPE') },
  { name: 'an HTML page', magic: text('<html') },
  { name: 'XML text', magic: text('<?xml') },
];

function matches(octets: Uint8Array, look: Look): boolean {
  const at = look.at ?? 0;
  for (let index = 0; index < look.magic.length / 2; index++) {
    if (octets[at + index] !== Number.parseInt(look.magic.slice(index * 2, index * 2 + 2), 16)) return false;
  }
  return true;
}

const isText = (octets: Uint8Array): boolean =>
  octets.every((octet) => (octet >= 0x20 && octet < 0x7f) || octet === 0x09 || octet === 0x0a || octet === 0x0d);

function textLook(octets: Uint8Array): string {
  const lines = String.fromCharCode(...octets).split(/\r?\n/);
  const commas = lines.slice(0, 2).map((line) => line.split(',').length - 1);
  if (/^\s*[{[]/.test(lines[0] ?? '')) return 'it looks like JSON text';
  if ((commas[0] ?? 0) > 0 && (lines.length < 3 || commas[0] === commas[1])) return 'it looks like CSV text';
  return 'it looks like text';
}

/** One clause for the message: "it looks like a JPEG image", from the first octets (up to 512) of the file. */
export function describe(octets: Uint8Array): string {
  const look = LOOKS.find((one) => matches(octets, one));
  if (look !== undefined) return `it looks like ${look.name}${look.hint === undefined ? '' : `: ${look.hint}`}`;
  if (octets.length > 0 && isText(octets)) return textLook(octets);
  const first = Array.from(octets.subarray(0, 4), (octet) => octet.toString(16).padStart(2, '0'));
  return `its first octets are ${first.join(' ')}`;
}
