// Reads firehose frames with a CBOR walker of its own, so that a comparison of two frames rests on
// their bytes and on nothing that a library might tidy up.
//
// A frame is two CBOR maps: header {op, t} and payload. A relay changes the integer under the
// payload's key `seq`, and takes the handle out of an #identity; every other byte is the host's.
import crypto from 'node:crypto';

// The head of the item at `at`: its major type, its argument, and where its content begins.
function head(bytes, at) {
    if (at >= bytes.length) throw new Error(`CBOR ends early at ${at}`);
    const major = bytes[at] >> 5;
    const low = bytes[at] & 31;
    if (low < 24) return { major, low, value: low, next: at + 1 };
    if (low > 27) throw new Error(`CBOR: indefinite or reserved length at ${at}`);
    const width = 1 << (low - 24);
    if (at + 1 + width > bytes.length) throw new Error(`CBOR ends early at ${at}`);
    let value = 0;
    for (let i = 0; i < width; i++) value = value * 256 + bytes[at + 1 + i];
    return { major, low, value, next: at + 1 + width };
}

function skip(bytes, at) {
    const h = head(bytes, at);
    switch (h.major) {
        case 2:
        case 3:
            if (h.next + h.value > bytes.length) throw new Error(`CBOR ends early at ${at}`);
            return h.next + h.value;
        case 4:
        case 5: {
            let p = h.next;
            for (let i = 0; i < h.value * (h.major === 5 ? 2 : 1); i++) p = skip(bytes, p);
            return p;
        }
        case 6:
            return skip(bytes, h.next);
        default:
            return h.next;
    }
}

// The scalars of the map at `at`, with the span of each value; what is nested is stepped over.
function readMap(bytes, at) {
    const h = head(bytes, at);
    if (h.major !== 5) throw new Error(`CBOR: not a map at ${at}`);
    const values = {};
    const spans = {};
    let p = h.next;
    for (let i = 0; i < h.value; i++) {
        const key = head(bytes, p);
        if (key.major !== 3) throw new Error(`CBOR: a map key is not text at ${p}`);
        const name = bytes.toString('utf8', key.next, key.next + key.value);
        const start = key.next + key.value;
        const end = skip(bytes, start);
        const v = head(bytes, start);
        if (v.major === 0) values[name] = v.value;
        else if (v.major === 1) values[name] = -1 - v.value;
        else if (v.major === 3) values[name] = bytes.toString('utf8', v.next, end);
        else if (v.major === 7 && v.low < 24)
            values[name] = { 20: false, 21: true, 22: null }[v.low];
        spans[name] = [start, end];
        p = end;
    }
    return { values, spans, end: p };
}

function shortestWidth(n) {
    if (n < 24) return 1;
    if (n < 2 ** 8) return 2;
    if (n < 2 ** 16) return 3;
    return n < 2 ** 32 ? 5 : 9;
}

// -> { raw, bytes, op, t, seq, did, rev, payload, seqSpan }; an #info or an error frame has no seq.
// Throws on anything that is not exactly two maps.
export function readFrame(raw) {
    const header = readMap(raw, 0);
    const body = readMap(raw, header.end);
    if (body.end !== raw.length)
        throw new Error(`${raw.length - body.end} bytes after the payload`);
    const { op, t } = header.values;
    const frame = {
        raw,
        bytes: raw.length,
        op,
        t,
        seq: undefined,
        did: undefined,
        payload: body.values,
    };
    frame.rev = body.values.rev;
    frame.did = body.values.did ?? body.values.repo;
    if (op !== 1 || t === '#info') return frame;
    if (!Number.isSafeInteger(body.values.seq)) throw new Error(`${t} without an integer seq`);
    frame.seq = body.values.seq;
    frame.seqSpan = body.spans.seq;
    frame.payloadAt = header.end;
    if (body.spans.handle) {
        const [start, end] = body.spans.handle;
        frame.handleSpan = [start - 1 - 'handle'.length, end]; // with its key
    }
    const [start, end] = frame.seqSpan;
    if (end - start !== shortestWidth(frame.seq))
        throw new Error(`seq ${frame.seq} is not in shortest form`);
    return frame;
}

// -> the frame of readFrame() with a `key`: two frames with one key are the same bytes but for the
// seq.
export function parseFrame(raw) {
    const frame = readFrame(raw);
    if (frame.seq === undefined) return frame;
    const [start, end] = frame.seqSpan;
    frame.key = crypto
        .createHash('sha256')
        .update(raw.subarray(0, start))
        .update('seq')
        .update(raw.subarray(end))
        .digest('base64');
    return frame;
}

// An #identity as a relay passes it on that strips the handle, which nobody has checked; any other
// event as it is.
export function withoutHandle(frame) {
    const { raw, handleSpan, payloadAt } = frame;
    if (frame.t !== '#identity' || !handleSpan) return frame;
    const fields = Buffer.from([raw[payloadAt] - 1]); // the head of a map of a few fields
    const [start, end] = handleSpan;
    const parts = [raw.subarray(0, payloadAt), fields, raw.subarray(payloadAt + 1, start)];
    return parseFrame(Buffer.concat([...parts, raw.subarray(end)]));
}

function hexAround(raw, at) {
    const from = Math.max(0, at - 16);
    return `${from ? '...' : ''}${raw.toString('hex', from, at)}[${raw.toString('hex', at, at + 16)}]`;
}

export function describe(frame) {
    if (!frame) return '(no frame)';
    const { blocks, ...rest } = frame.payload;
    return `${frame.t ?? `op ${frame.op}`} ${JSON.stringify(rest)} (${frame.bytes} bytes)`;
}

// For a person: where two frames that should be equal but for seq part ways.
export function firstDifference(expected, actual) {
    const lines = [`expected ${describe(expected)}`, `actual   ${describe(actual)}`];
    // Two different events differ everywhere; only two forms of one are worth a look at the bytes.
    const same = ['t', 'did', 'rev'].every((k) => expected?.[k] === actual?.[k]);
    if (!expected?.raw || !actual?.raw || !same) return lines;
    const cut = (f) =>
        Buffer.concat([f.raw.subarray(0, f.seqSpan[0]), f.raw.subarray(f.seqSpan[1])]);
    const [a, b] = [cut(expected), cut(actual)];
    let at = 0;
    while (at < a.length && at < b.length && a[at] === b[at]) at++;
    if (at === a.length && at === b.length) return lines;
    lines.push(`first differing byte, seq left out: ${at}`);
    lines.push(`expected ${hexAround(a, at)}`, `actual   ${hexAround(b, at)}`);
    return lines;
}

// The same for frames of many accounts, whose order counts for each account alone: a relay may have
// to find out something about one while the others go on.
export function compareAccounts(expected, actual, what) {
    const sums = { reason: '', details: [], missing: 0, foreign: 0, repeated: 0 };
    let first = null;
    const byDid = (frames) => Map.groupBy(frames, (f) => f.did);
    const [want, got] = [byDid(expected), byDid(actual)];
    for (const did of new Set([...want.keys(), ...got.keys()])) {
        const difference = compareStreams(want.get(did) ?? [], got.get(did) ?? [], `${what}, ${did}`);
        first ??= difference;
        for (const k of ['missing', 'foreign', 'repeated']) sums[k] += difference?.[k] ?? 0;
    }
    return first && { ...sums, reason: first.reason, details: first.details };
}

// The frames one host sent against the frames a relay emitted for it: the same keys, once each, in
// the same order. -> null, or { reason, details }.
export function compareStreams(expected, actual, what) {
    const count = (frames) => {
        const n = new Map();
        for (const f of frames) n.set(f.key, (n.get(f.key) ?? 0) + 1);
        return n;
    };
    const want = count(expected);
    const got = count(actual);
    const missing = expected.filter((f) => !got.has(f.key));
    const foreign = actual.filter((f) => !want.has(f.key));
    const repeated = actual.filter((f) => want.has(f.key) && got.get(f.key) > want.get(f.key));
    let at = 0;
    while (at < expected.length && at < actual.length && expected[at].key === actual[at].key) at++;
    if (at === expected.length && at === actual.length) return null;
    const parts = [`${expected.length} expected, ${actual.length} seen`];
    if (missing.length) parts.push(`${missing.length} missing`);
    if (foreign.length) parts.push(`${foreign.length} altered or foreign`);
    if (repeated.length) parts.push(`${new Set(repeated.map((f) => f.key)).size} repeated`);
    if (!missing.length && !foreign.length && !repeated.length) parts.push('the order differs');
    return {
        reason: `${what}: ${parts.join(', ')}; first difference at event ${at}`,
        details: firstDifference(expected[at], actual[at]),
        missing: missing.length,
        foreign: foreign.length,
        repeated: repeated.length,
    };
}

// Two readers of one relay must have seen the same bytes, seq included. (The key stands for every
// byte but those of the seq, and the seq has one form only.)
export function compareBytes(expected, actual, what) {
    const same = (a, b) => a.seq === b.seq && a.key === b.key;
    let at = 0;
    while (at < expected.length && at < actual.length && same(expected[at], actual[at])) at++;
    if (at === expected.length && at === actual.length) return null;
    return {
        reason:
            `${what}: ${expected.length} expected, ${actual.length} seen; ` +
            `first difference at event ${at} (seq ${expected[at]?.seq} and ${actual[at]?.seq})`,
        details: firstDifference(expected[at], actual[at]),
    };
}

export function firstNotRising(frames) {
    for (let i = 1; i < frames.length; i++)
        if (frames[i].seq <= frames[i - 1].seq) return frames[i];
    return null;
}
