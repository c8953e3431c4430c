// What a consumer keeps of a stream too big to keep: of each event its seq and a checksum of its bytes,
// and of each account its last rev. The commits of an account name the one before, so that an event
// that was lost, or came twice, shows without knowing what was sent.
import { crc32 } from 'node:zlib';

import { readFrame } from './frames.mjs';

const maxProblems = 20;

export class Tally {
    constructor() {
        this.count = 0;
        this.bytes = 0;
        this.seqs = new Float64Array(1 << 16);
        this.sums = new Uint32Array(1 << 16);
        this.revs = new Map(); // did -> rev
        this.links = 0; // commits whose `since` was looked at
        this.problems = [];
    }

    get firstSeq() {
        return this.count ? this.seqs[0] : undefined;
    }

    get lastSeq() {
        return this.count ? this.seqs[this.count - 1] : undefined;
    }

    // -> false for what is no event: #info and error frames. Throws as readFrame() does.
    accept(raw) {
        const frame = readFrame(raw);
        if (frame.seq === undefined) return false;
        if (this.count && frame.seq <= this.lastSeq)
            this.complain(`seq ${frame.seq} after ${this.lastSeq}`);
        if (frame.t === '#commit') this.follow(frame);
        else if (frame.t === '#sync') this.revs.set(frame.did, frame.rev);
        if (this.count === this.seqs.length) this.grow();
        this.seqs[this.count] = frame.seq;
        this.sums[this.count] = crc32(raw);
        this.count++;
        this.bytes += raw.length;
        return true;
    }

    follow({ seq, did, rev, payload }) {
        const before = this.revs.get(did);
        if (before !== undefined) this.links++;
        if (before !== undefined && payload.since !== before)
            this.complain(`seq ${seq}: a commit of ${did} since ${payload.since} after ${before}`);
        this.revs.set(did, rev);
    }

    complain(problem) {
        if (this.problems.length < maxProblems) this.problems.push(problem);
    }

    grow() {
        const [seqs, sums] = [this.seqs, this.sums];
        this.seqs = new Float64Array(seqs.length * 2);
        this.seqs.set(seqs);
        this.sums = new Uint32Array(sums.length * 2);
        this.sums.set(sums);
    }

    // The number of events with a seq of at most `seq`.
    countUpTo(seq) {
        let [low, high] = [0, this.count];
        while (low < high) {
            const middle = (low + high) >> 1;
            if (this.seqs[middle] <= seq) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}

// Two consumers of one relay: `actual` must have seen what `expected` saw after the seq `from` and
// up to `goal`. -> null, or { reason, details }
export function compareTallies(expected, actual, { from = -1, goal = Infinity }, what) {
    const offset = expected.countUpTo(from);
    const want = expected.countUpTo(goal) - offset;
    const got = actual.countUpTo(goal);
    let at = 0;
    while (
        at < want &&
        at < got &&
        expected.seqs[offset + at] === actual.seqs[at] &&
        expected.sums[offset + at] === actual.sums[at]
    )
        at++;
    if (at === want && at === got) return null;
    const seqs = [at < want ? expected.seqs[offset + at] : null, at < got ? actual.seqs[at] : null];
    const why = seqs[0] === seqs[1] ? 'other bytes' : 'another event';
    return {
        reason: `${what}: ${want} events expected, ${got} seen; first difference at event ${at} (${why})`,
        details: [`expected seq ${seqs[0]}`, `actual   seq ${seqs[1]}`],
    };
}
