;; The inner loops of the straight way: plain packets of connections about which the rules have spoken before.
;;
;; `plain.ts` defines what they do, line by line; this is the same for one judged cell, over the same memory, without the checks
;; that V8 puts around every access to a typed array. A row that needs anything else (a first packet, a SYN or FIN, an
;; odd header) is left to TypeScript: `run` stops at it. test/dataplane/straight.test.ts holds the two against each other, and
;; checks that straight-code.ts is this file.
;;
;; $c is the control block, 32-bit words written by straight.ts; the offsets below are in octets:
;;
;;      0 records     4 burst columns   8 frames      12 rows in use
;;     16 entries    20 index, mask    24 sums of ways
;;     28 UDP port   32 underlay       36 VTEP        40 169.254.0.1
;;     44 VTEP's MAC address, first 4  48 last 2      52 VNI and reserved octet
;;     56 in use, cell (as in an entry)               60 TCP: 256 octets, 1 for flags of a plain ACK
;;     64 rows of flows                68 their sign  72 a word for each row: room for notes
;;     76 index of entries; 20 is its mask            80 two words for each row: hash of its key, and where `touch`
;;                                                       saw an entry for it: the words of the packet's direction, or 0
;;
;; Nothing is a function of its own: a call costs about 2 ns, and V8 (of Node 20) inlines none.
;; Words of headers are compared as they lie in memory, so constants for them have their octets the other way round.
(module
  (import "tagplane" "memory" (memory 1))

  ;; Bring into the cache what `run` and `tally` will come to: places of the index, the entries that they name, then the sums
  ;; and the rows of flows that these lead to. Loops that do little else let cache misses overlap. The result means
  ;; nothing: it keeps the reads alive.
  (func (export "touch") (param $c i32) (result i32)
    (local $row i32) (local $end i32) (local $frames i32) (local $index i32) (local $mask i32) (local $next i32)
    (local $at i32) (local $source i32) (local $destination i32) (local $ports i32) (local $back i32) (local $slot i32)
    (local $sum i32) (local $word i32) (local $first i32) (local $lanes v128)
    (local.set $row (i32.load (local.get $c)))
    (local.set $end (i32.add (local.get $row) (i32.shl (i32.load offset=12 (local.get $c)) (i32.const 2))))
    (local.set $frames (i32.load offset=8 (local.get $c)))
    (local.set $index (i32.load offset=76 (local.get $c)))
    (local.set $mask (i32.load offset=20 (local.get $c)))
    (local.set $first (i32.load offset=80 (local.get $c)))
    (local.set $next (local.get $first))
    (loop $hash
      (if (i32.lt_u (local.get $row) (local.get $end))
        (then
          (local.set $at (i32.load (local.get $row)))
          ;; Frames that are too short have the hash 0.
          (local.set $slot (i32.const 0))
          (local.set $back (i32.const 0))
          (if (i32.ge_u (i32.sub (i32.load offset=1024 (local.get $row)) (local.get $at)) (i32.const 92))
            (then
              (local.set $at (i32.add (local.get $at) (local.get $frames)))
              (local.set $lanes
                (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
                  (v128.load offset=76 (local.get $at)) (v128.load offset=76 (local.get $at))))
              (local.set $source (i32x4.extract_lane 0 (local.get $lanes)))
              (local.set $destination (i32x4.extract_lane 1 (local.get $lanes)))
              (local.set $ports (i32x4.extract_lane 2 (local.get $lanes)))
              (local.set $slot
                (i32.add
                  (i32.mul (i32.xor (local.get $source) (local.get $destination)) (i32.const 0xcc9e2d51))
                  (i32.mul (i32.add (local.get $source) (local.get $destination)) (i32.const 0x85ebca6b))))
              (local.set $back (i32.rotl (local.get $ports) (i32.const 16)))
              (local.set $slot
                (i32.mul
                  (i32.add
                    (i32.add
                      (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 15)))
                      (i32.mul (i32.xor (local.get $ports) (local.get $back)) (i32.const 0x1b873593)))
                    (i32.add (local.get $ports) (local.get $back)))
                  (i32.const 0xc2b2ae35)))
              (local.set $slot (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 16))))
              (local.set $back (i32.gt_u (local.get $source) (local.get $destination)))))
          (i32.store (local.get $next) (local.get $slot))
          (i32.store offset=4 (local.get $next) (i32.shl (local.get $back) (i32.const 4)))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (local.set $row (i32.add (local.get $row) (i32.const 4)))
          (br $hash))))
    (local.set $end (local.get $next))
    (local.set $next (local.get $first))
    (loop $place
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.load
                (i32.add
                  (local.get $index)
                  (i32.shl (i32.and (i32.load (local.get $next)) (local.get $mask)) (i32.const 2))))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $place))))
    (local.set $next (local.get $first))
    (loop $entry
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $slot (i32.load (local.get $next)))
          (local.set $at (i32.const 0))
          (block $seen
            (loop $probe
              (local.set $word
                (i32.load
                  (i32.add (local.get $index) (i32.shl (i32.and (local.get $slot) (local.get $mask)) (i32.const 2)))))
              (br_if $seen (i32.eqz (local.get $word)))
              (if
                (i32.and (i32.xor (local.get $word) (i32.load (local.get $next))) (i32.const 0xff000000))
                (then
                  (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
                  (br $probe))))
            (local.set $at
              (i32.add
                (i32.add
                  (i32.load offset=16 (local.get $c))
                  (i32.shl (i32.sub (i32.and (local.get $word) (i32.const 0xffffff)) (i32.const 1)) (i32.const 6)))
                (i32.load offset=4 (local.get $next)))))
          (i32.store offset=4 (local.get $next) (local.get $at))
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=36 (local.get $at))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $entry))))
    (local.set $next (local.get $first))
    (loop $said
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $at (i32.load offset=4 (local.get $next)))
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.add
                (i32.load
                  (i32.add
                    (i32.load offset=24 (local.get $c))
                    (i32.shl (i32.and (i32.load offset=36 (local.get $at)) (i32.const 0xfffff)) (i32.const 4))))
                (i32.load
                  (i32.add
                    (i32.load offset=64 (local.get $c))
                    (i32.shl (i32.and (i32.load offset=40 (local.get $at)) (i32.const 0x1ffff)) (i32.const 6)))))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $said))))
    (local.get $sum))

  ;; Judge rows from $i on. The result is the first row that was not judged, and nothing is done to that one.
  (func (export "run") (param $c i32) (param $i i32) (result i32)
    (local $records i32) (local $burst i32) (local $entries i32) (local $count i32)
    (local $at i32) (local $room i32) (local $end i32) (local $length i32) (local $protocol i32) (local $flags i32)
    (local $source i32) (local $destination i32) (local $ports i32) (local $tunnel i32) (local $word i32) (local $back i32)
    (local $swapped i32) (local $first i32) (local $second i32) (local $key i32) (local $meta i32)
    (local $slot i32) (local $entry i32) (local $said i32) (local $state i32) (local $reply i32) (local $ctstate i32)
    (local $note i32) (local $way i32) (local $column i32)
    (local $now f64) (local $sum i64) (local $lanes v128)
    (local.set $records (i32.load (local.get $c)))
    (local.set $burst (i32.load offset=4 (local.get $c)))
    (local.set $count (i32.load offset=12 (local.get $c)))
    (local.set $entries (i32.load offset=16 (local.get $c)))
    (block $stop
      (loop $next
        (br_if $stop (i32.ge_u (local.get $i) (local.get $count)))

        ;; The frame on the underlay: underlayEnd and isForeign.
        (local.set $column (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 2))))
        (local.set $at (i32.load (local.get $column)))
        (local.set $room (i32.sub (i32.load offset=1024 (local.get $column)) (local.get $at)))
        (br_if $stop (i32.lt_u (local.get $room) (i32.const 92)))
        (br_if $stop
          (i32.ne
            (i32.load16_u offset=3072 (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 1))))
            (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.load offset=8 (local.get $c))))
        (br_if $stop (i32.ne (i32.load16_u offset=12 (local.get $at)) (i32.const 0x0008)))
        (br_if $stop (i32.ne (i32.load8_u offset=14 (local.get $at)) (i32.const 0x45)))
        (local.set $end (i32.add (i32.or (i32.shl (i32.load8_u offset=16 (local.get $at)) (i32.const 8)) (i32.load8_u offset=17 (local.get $at))) (i32.const 14)))
        (br_if $stop (i32.gt_u (local.get $end) (local.get $room)))
        (br_if $stop (i32.and (i32.load16_u offset=20 (local.get $at)) (i32.const 0xff3f)))
        (br_if $stop (i32.ne (i32.load8_u offset=23 (local.get $at)) (i32.const 17)))
        (br_if $stop (i32.ne (i32.load16_u offset=36 (local.get $at)) (i32.load offset=28 (local.get $c))))
        (br_if $stop (i32.ne (i32.load offset=30 (local.get $at)) (i32.load offset=32 (local.get $c))))
        (local.set $word (i32.load8_u offset=26 (local.get $at)))
        (br_if $stop (i32.ge_u (local.get $word) (i32.const 224)))
        (br_if $stop (i32.eqz (local.get $word)))
        (br_if $stop (i32.eq (local.get $word) (i32.const 127)))
        (local.set $word (i32.load offset=26 (local.get $at)))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=32 (local.get $c))))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=36 (local.get $c))))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=40 (local.get $c))))
        (local.set $sum
          (i64.add
            (i64.add
              (i64.add (i64.load32_u offset=14 (local.get $at)) (i64.load32_u offset=18 (local.get $at)))
              (i64.add (i64.load32_u offset=22 (local.get $at)) (i64.load32_u offset=26 (local.get $at))))
            (i64.load32_u offset=30 (local.get $at))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (br_if $stop (i64.ne (local.get $sum) (i64.const 0xffff)))
        (local.set $word (i32.add (i32.or (i32.shl (i32.load8_u offset=38 (local.get $at)) (i32.const 8)) (i32.load8_u offset=39 (local.get $at))) (i32.const 34)))
        (br_if $stop (i32.gt_u (local.get $word) (local.get $end)))
        (local.set $end (local.get $word))

        ;; The tunnel: isTunnel.
        (local.set $tunnel (i32.load offset=42 (local.get $at)))
        (br_if $stop (i32.ne (i32.and (local.get $tunnel) (i32.const 0x7f)) (i32.const 0x08)))
        (br_if $stop (i32.ne (i32.load offset=46 (local.get $at)) (i32.load offset=52 (local.get $c))))
        (br_if $stop (i32.ne (i32.load offset=50 (local.get $at)) (i32.load offset=44 (local.get $c))))
        (br_if $stop (i32.ne (i32.load16_u offset=54 (local.get $at)) (i32.load offset=48 (local.get $c))))
        (br_if $stop
          (i32.and
            (i32.eq (i32.load offset=56 (local.get $at)) (i32.load offset=44 (local.get $c)))
            (i32.eq (i32.load16_u offset=60 (local.get $at)) (i32.load offset=48 (local.get $c)))))

        ;; The packet inside: innerFlags.
        (br_if $stop (i32.ne (i32.load16_u offset=62 (local.get $at)) (i32.const 0x0008)))
        (br_if $stop (i32.ne (i32.load8_u offset=64 (local.get $at)) (i32.const 0x45)))
        (local.set $length (i32.or (i32.shl (i32.load8_u offset=66 (local.get $at)) (i32.const 8)) (i32.load8_u offset=67 (local.get $at))))
        (br_if $stop (i32.gt_u (i32.add (local.get $length) (i32.const 64)) (local.get $end)))
        (br_if $stop (i32.and (i32.load16_u offset=70 (local.get $at)) (i32.const 0xff3f)))
        (br_if $stop (i32.le_u (i32.load8_u offset=72 (local.get $at)) (i32.const 1)))
        (br_if $stop
          (i32.and
            (i32.eq (i32.and (i32.load8_u offset=15 (local.get $at)) (i32.const 3)) (i32.const 3))
            (i32.eqz (i32.and (i32.load8_u offset=65 (local.get $at)) (i32.const 3)))))
        (local.set $sum
          (i64.add
            (i64.add
              (i64.add (i64.load32_u offset=64 (local.get $at)) (i64.load32_u offset=68 (local.get $at)))
              (i64.add (i64.load32_u offset=72 (local.get $at)) (i64.load32_u offset=76 (local.get $at))))
            (i64.load32_u offset=80 (local.get $at))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (br_if $stop (i64.ne (local.get $sum) (i64.const 0xffff)))
        (local.set $protocol (i32.load8_u offset=73 (local.get $at)))
        (local.set $room (i32.sub (local.get $length) (i32.const 20)))
        (local.set $flags (i32.const 0))
        (if (i32.eq (local.get $protocol) (i32.const 6))
          (then
            (br_if $stop (i32.lt_s (local.get $room) (i32.const 20)))
            (local.set $word (i32.shl (i32.shr_u (i32.load8_u offset=96 (local.get $at)) (i32.const 4)) (i32.const 2)))
            (br_if $stop (i32.lt_u (local.get $word) (i32.const 20)))
            (br_if $stop (i32.gt_u (local.get $word) (local.get $room)))
            (local.set $flags (i32.load8_u offset=97 (local.get $at))))
          (else
            (br_if $stop (i32.ne (local.get $protocol) (i32.const 17)))
            (local.set $word (i32.or (i32.shl (i32.load8_u offset=88 (local.get $at)) (i32.const 8)) (i32.load8_u offset=89 (local.get $at))))
            (br_if $stop (i32.lt_u (local.get $word) (i32.const 8)))
            (br_if $stop (i32.gt_s (local.get $word) (local.get $room)))))

        ;; Its connection: keyOf and findFrom.
        (local.set $lanes
          (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
            (v128.load offset=76 (local.get $at)) (v128.load offset=76 (local.get $at))))
        (local.set $source (i32x4.extract_lane 0 (local.get $lanes)))
        (local.set $destination (i32x4.extract_lane 1 (local.get $lanes)))
        (local.set $ports (i32x4.extract_lane 2 (local.get $lanes)))
        (local.set $tunnel
          (i32.or
            (i32.and (i32.rotl (local.get $tunnel) (i32.const 8)) (i32.const 0x00ff00ff))
            (i32.and (i32.rotr (local.get $tunnel) (i32.const 8)) (i32.const 0xff00ff00))))
        (local.set $key (local.get $ports))
        (local.set $first (local.get $source))
        (local.set $second (local.get $destination))
        (local.set $swapped
          (i32.or
            (i32.gt_u (local.get $source) (local.get $destination))
            (i32.and
              (i32.eq (local.get $source) (local.get $destination))
              (i32.gt_u (i32.shr_u (local.get $ports) (i32.const 16)) (i32.and (local.get $ports) (i32.const 0xffff))))))
        (if (local.get $swapped)
          (then
            (local.set $first (local.get $destination))
            (local.set $second (local.get $source))
            (local.set $key (i32.rotl (local.get $ports) (i32.const 16)))))
        (local.set $meta (i32.or (i32.load offset=56 (local.get $c)) (i32.shl (local.get $protocol) (i32.const 8))))
        (local.set $column (i32.add (i32.load offset=80 (local.get $c)) (i32.shl (local.get $i) (i32.const 3))))
        (local.set $slot (i32.load (local.get $column)))
        (local.set $entry (i32.and (i32.load offset=4 (local.get $column)) (i32.const -64)))
        (block $found
          (loop $probe
            (br_if $found
              (i32.eqz
                (i32.or
                  (i32.or
                    (i32.xor (i32.load (local.get $entry)) (local.get $first))
                    (i32.xor (i32.load offset=4 (local.get $entry)) (local.get $second)))
                  (i32.or
                    (i32.xor (i32.load offset=8 (local.get $entry)) (local.get $key))
                    (i32.xor (i32.load offset=12 (local.get $entry)) (local.get $meta))))))
            ;; Not the one that `touch` saw: look for it from the beginning.
            (loop $place
              (local.set $word
                (i32.load
                  (i32.add
                    (i32.load offset=76 (local.get $c))
                    (i32.shl (i32.and (local.get $slot) (i32.load offset=20 (local.get $c))) (i32.const 2)))))
              (br_if $stop (i32.eqz (local.get $word)))
              (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
              (br_if $place
                (i32.and (i32.xor (local.get $word) (i32.load (local.get $column))) (i32.const 0xff000000))))
            (local.set $entry
              (i32.add
                (local.get $entries)
                (i32.shl (i32.sub (i32.and (local.get $word) (i32.const 0xffffff)) (i32.const 1)) (i32.const 6))))
            (br $probe)))

        ;; What was said of the packet before it: saidOf.
        (local.set $way (i32.add (local.get $entry) (i32.shl (local.get $swapped) (i32.const 4))))
        (br_if $stop (i32.ne (i32.load offset=32 (local.get $way)) (local.get $tunnel)))
        (local.set $said (i32.load offset=36 (local.get $way)))
        (br_if $stop (i32.eqz (local.get $said)))

        ;; The connection's state: a plain ACK of an established connection, a UDP datagram, or what was refused before.
        (local.set $now (f64.load offset=3584 (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 3)))))
        (local.set $state (i32.load offset=16 (local.get $entry)))
        (local.set $word (i32.load8_u (i32.add (i32.load offset=60 (local.get $c)) (local.get $flags))))
        (if (f64.le (f64.load offset=24 (local.get $entry)) (local.get $now))
          (then
            ;; No connection, and it opens none: only where the verdict was not DELIVER.
            (br_if $stop (i32.eq (i32.and (i32.shr_u (local.get $said) (i32.const 20)) (i32.const 7)) (i32.const 1)))
            (br_if $stop (i32.and (i32.eq (local.get $protocol) (i32.const 6)) (i32.eqz (local.get $word))))
            (br_if $stop (i32.ne (i32.shr_u (local.get $said) (i32.const 30)) (i32.const 2)))
            (local.set $reply (i32.const 0))
            (local.set $ctstate (i32.const 8))
            (local.set $note
              (select (i32.const 12) (i32.const 8) (i32.eq (local.get $protocol) (i32.const 6)))))
          (else
            (local.set $reply (i32.xor (i32.and (local.get $state) (i32.const 1)) (local.get $swapped)))
            (local.set $ctstate
              (select
                (i32.const 2)
                (i32.const 8)
                (i32.or (local.get $reply) (i32.and (local.get $state) (i32.const 2)))))
            (br_if $stop
              (i32.ne
                (i32.shr_u (local.get $said) (i32.const 30))
                (select (i32.const 3) (i32.const 2) (i32.eq (local.get $ctstate) (i32.const 2)))))
            (local.set $note (i32.const 0))
            (if (i32.eq (local.get $protocol) (i32.const 6))
              (then
                ;; followTcp: ACK while ESTABLISHED (state 3) stays there; ACK is segment 3.
                (br_if $stop (i32.eqz (local.get $word)))
                (br_if $stop (i32.ne (i32.and (local.get $state) (i32.const 0xf00)) (i32.const 0x300)))
                (f64.store offset=24 (local.get $entry)
                  (f64.add
                    (local.get $now)
                    (select
                      (f64.const 432000e9)
                      (f64.const 300e9)
                      (i32.and (local.get $state) (i32.const 2)))))
                (i32.store offset=16 (local.get $entry)
                  (i32.or
                    (i32.or (i32.and (local.get $state) (i32.const 0xffff0ff7)) (i32.const 0x3000))
                    (i32.mul (local.get $reply) (i32.const 10)))))
              (else
                ;; followUdp: a stream once it is old enough and was answered.
                (f64.store offset=24 (local.get $entry)
                  (f64.add
                    (local.get $now)
                    (select
                      (f64.const 120e9)
                      (f64.const 30e9)
                      (i32.and
                        (i32.shr_u (local.get $state) (i32.const 1))
                        (i32.gt_s
                          (i32.sub
                            (i32.wrap_i64 (i64.trunc_sat_f64_s (f64.div (local.get $now) (f64.const 1e6))))
                            (i32.load offset=20 (local.get $entry)))
                          (i32.const 0))))))
                (i32.store offset=16 (local.get $entry)
                  (i32.or (local.get $state) (i32.shl (local.get $reply) (i32.const 1))))))))

        ;; The columns of the row, and one more packet on its way: sayAgain.
        (local.set $column (i32.add (local.get $burst) (local.get $i)))
        (i32.store8 offset=5632 (local.get $column) (i32.and (i32.shr_u (local.get $said) (i32.const 20)) (i32.const 7)))
        (i32.store8 offset=5888 (local.get $column) (i32.and (i32.shr_u (local.get $said) (i32.const 23)) (i32.const 127)))
        (i32.store8 offset=6144 (local.get $column) (local.get $ctstate))
        (i32.store8 offset=6400 (local.get $column) (local.get $reply))
        (i32.store8 offset=6656 (local.get $column) (i32.const 4))
        (i32.store8 offset=6912 (local.get $column) (local.get $protocol))
        (i32.store8 offset=7168 (local.get $column) (local.get $note))
        (local.set $column (i32.add (local.get $column) (local.get $i)))
        (i32.store16 offset=4096 (local.get $column) (i32.shr_u (local.get $ports) (i32.const 16)))
        (i32.store16 offset=4608 (local.get $column) (local.get $ports))
        (i32.store16 offset=10496 (local.get $column)
          (i32.and (i32.shr_u (i32.load offset=56 (local.get $c)) (i32.const 16)) (i32.const 0x7fff)))
        (local.set $column (i32.add (local.get $burst) (i32.shl (local.get $i) (i32.const 2))))
        (i32.store offset=1024 (local.get $column) (local.get $source))
        (i32.store offset=2048 (local.get $column) (local.get $destination))
        (i32.store offset=7424 (local.get $column) (i32.load offset=44 (local.get $way)))
        (i32.store offset=9472 (local.get $column)
          (i32.add (i32.shr_u (i32.sub (local.get $way) (local.get $entries)) (i32.const 2)) (i32.const 10)))
        (i32.store offset=11008 (local.get $column) (local.get $said))
        (if (i32.lt_s (local.get $tunnel) (i32.const 0))
          (then
            (i32.store (local.get $column) (i32.and (local.get $tunnel) (i32.const 0x0048ffff)))
            (i32.store offset=8448 (local.get $column) (i32.and (local.get $tunnel) (i32.const 0xffff)))))
        (local.set $way
          (i32.add
            (i32.load offset=24 (local.get $c))
            (i32.shl (i32.and (local.get $said) (i32.const 0xfffff)) (i32.const 4))))
        (f64.store (local.get $way) (f64.add (f64.load (local.get $way)) (f64.const 1)))
        (f64.store offset=8 (local.get $way)
          (f64.add (f64.load offset=8 (local.get $way)) (f64.convert_i32_u (local.get $length))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $i))

  ;; Add the rows of the burst whose connection knows its row to the flows (`add` in replay/flows.ts), and list the others that
  ;; are flows. The result is how many those are.
  (func (export "tally") (param $c i32) (result i32)
    (local $i i32) (local $burst i32) (local $column i32) (local $at i32) (local $word i32) (local $missing i32)
    (local $end i32)
    (local.set $burst (i32.load offset=4 (local.get $c)))
    (local.set $missing (i32.load offset=72 (local.get $c)))
    (local.set $end (i32.load offset=12 (local.get $c)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $end)))
        (local.set $column (i32.add (local.get $burst) (i32.shl (local.get $i) (i32.const 2))))
        (block $added
          (block $unknown
            (local.set $at (i32.load offset=9472 (local.get $column)))
            (br_if $unknown (i32.lt_s (local.get $at) (i32.const 0)))
            (local.set $at
              (i32.add (i32.load offset=16 (local.get $c)) (i32.shl (local.get $at) (i32.const 2))))
            (br_if $unknown
              (i32.ne
                (i32.load (i32.sub (local.get $at) (i32.const 4)))
                (i32.load offset=11008 (local.get $column))))
            (local.set $word (i32.load (local.get $at)))
            (br_if $unknown
              (i32.ne
                (i32.and (local.get $word) (i32.const 0xfffe0000))
                (i32.load offset=68 (local.get $c))))
            (local.set $at
              (i32.add
                (i32.load offset=64 (local.get $c))
                (i32.shl (i32.and (local.get $word) (i32.const 0x1ffff)) (i32.const 6))))
            (f64.store offset=32 (local.get $at) (f64.add (f64.load offset=32 (local.get $at)) (f64.const 1)))
            (f64.store offset=40 (local.get $at)
              (f64.add
                (f64.load offset=40 (local.get $at))
                (f64.convert_i32_u
                  (i32.load offset=2048
                    (i32.add (i32.load (local.get $c)) (i32.shl (local.get $i) (i32.const 2)))))))
            (if (i32.and (i32.load8_u offset=7168 (i32.add (local.get $burst) (local.get $i))) (i32.const 8))
              (then
                (f64.store offset=48 (local.get $at) (f64.add (f64.load offset=48 (local.get $at)) (f64.const 1)))))
            (br $added))
          (br_if $added
            (i32.ne (i32.load8_u offset=6656 (i32.add (local.get $burst) (local.get $i))) (i32.const 4)))
          (br_if $added
            (i32.eq (i32.load8_u offset=5632 (i32.add (local.get $burst) (local.get $i))) (i32.const 255)))
          (i32.store (local.get $missing) (local.get $i))
          (local.set $missing (i32.add (local.get $missing) (i32.const 4))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.shr_u (i32.sub (local.get $missing) (i32.load offset=72 (local.get $c))) (i32.const 2))))
