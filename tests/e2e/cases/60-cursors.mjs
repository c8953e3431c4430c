// What a cursor means, at every edge there is.
import { Account } from '../lib/account.mjs';
import { compareBytes } from '../lib/frames.mjs';
import { exchange } from '../lib/raw.mjs';
import { subscribePath } from '../lib/reader.mjs';
import { check, expectSame, sleep, until } from '../lib/util.mjs';

export const name = 'cursors';

const retentionBytes = 4 * 2 ** 20;

function upgradeRequest(port, query, extra = '') {
    return (
        `GET ${subscribePath}${query} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra}\r\n`
    );
}

async function cursorIsExclusive(t, relay, frames) {
    const last = frames.length - 1;
    const places = new Set([0, 1, 2, last - 2, last - 1]);
    while (places.size < 15) places.add(Math.floor(t.random() * last));
    for (const at of places) {
        const r = await t
            .reader(relay.url, { cursor: frames[at].seq, name: `cursor of event ${at}` })
            .opened();
        await r.waitFor(last - at);
        r.expectClean();
        check(!r.others.length, `${r.name}: an #info or error frame inside the window`);
        expectSame(compareBytes(frames.slice(at + 1), r.frames, r.name));
        r.close();
    }
}

async function cursorZeroTellsNothing(t, relay, frames) {
    const r = await t.reader(relay.url, { cursor: 0, name: 'cursor 0' }).opened();
    await r.waitFor(frames.length);
    check(!r.others.length, 'cursor 0: an #info or error frame');
    expectSame(compareBytes(frames, r.frames, 'cursor 0'));
    r.close();
}

async function futureCursorIsRefused(t, relay, frames) {
    for (const cursor of [frames.at(-1).seq + 1_000_000_000, Number.MAX_SAFE_INTEGER]) {
        const r = await t.reader(relay.url, { cursor, name: `cursor ${cursor}` }).opened();
        await until(() => r.others.length, 10, `${r.name}: no error frame`);
        const [frame] = r.others;
        check(
            frame.op === -1 && frame.payload.error === 'FutureCursor',
            `${r.name}: op ${frame.op} ${JSON.stringify(frame.payload)}, not a FutureCursor error`,
        );
        await r.waitForClose();
        check(r.others.length === 1 && !r.frames.length, `${r.name}: more frames after the error`);
        check(!r.problems.length, `${r.name}: ${r.problems[0]}`);
    }
}

async function outdatedCursorIsTold(t, relay, frames, cursor, what) {
    let infoFirst = null;
    const r = t.reader(relay.url, {
        cursor,
        name: what,
        onFrame: () => {
            infoFirst ??= r.others.length === 1;
        },
    });
    await r.waitFor(frames.length);
    check(infoFirst, `${what}: the first frame is no #info`);
    check(r.others.length === 1, `${what}: ${r.others.length} #info frames`);
    const [info] = r.others;
    check(
        info.op === 1 && info.t === '#info' && info.payload.name === 'OutdatedCursor',
        `${what}: ${info.t} ${JSON.stringify(info.payload)}`,
    );
    expectSame(compareBytes(frames, r.frames, `the window after ${what}`));
    r.close();
}

async function nonsenseIsRefused(relay) {
    for (const port of [relay.port, relay.httpPort]) {
        for (const bad of [
            '-1',
            'abc',
            '1.5',
            '1e3',
            '0x10',
            '99999999999999999999',
            '-9223372036854775808',
            '1%00',
        ]) {
            const { text } = await exchange(
                port,
                upgradeRequest(port, `?cursor=${bad}`, 'Connection: close\r\n'),
                3,
            );
            check(
                text.startsWith('HTTP/1.1 400 '),
                `cursor=${bad}: ${text.split('\r\n')[0] || 'no answer'}, not 400`,
            );
            let body;
            try {
                body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
            } catch {
                body = {};
            }
            check(
                typeof body.error === 'string' && typeof body.message === 'string',
                `cursor=${bad}: the body is no XRPC error`,
                text.split('\r\n'),
            );
        }
    }
}

async function anyOriginMayConnect(t, relay) {
    for (const origin of ['https://example.com', 'null', 'http://127.0.0.1:1']) {
        const r = await t
            .reader(relay.url, { cursor: 0, name: `origin ${origin}`, headers: { origin } })
            .opened();
        await r.waitFor(1);
        r.close();
    }
}

async function withoutCursorOnlyLive(t, { relay, reader, sent }) {
    const live = await t.reader(relay.url, { name: 'no cursor' }).opened();
    await sleep(700);
    check(
        !live.frames.length && !live.others.length,
        'without a cursor, something came though nothing happened',
    );
    const from = reader.frames.length;
    for (const host of t.fleet.hosts) await host.writer.createNote();
    await sent.settle([reader, live]);
    expectSame(compareBytes(reader.frames.slice(from), live.frames, 'no cursor'));
    live.close();
}

// Small files and little room: the beginning of the window moves, and a cursor falls out of it.
async function windowMoves(t) {
    const settings = {
        RELAY_SEGMENT_BYTES: '1MiB',
        RELAY_RETENTION_BYTES: String(retentionBytes),
    };
    const { relay, reader, sent } = await t.startFollowedRelay({ settings });
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 2, 'window')))
    ).flat();
    const load = t.startLoad(accounts, { textBytes: 90_000 });
    let bytes = 0;
    reader.onFrame = (f) => {
        bytes += f.raw.length;
    };
    await reader.until(() => bytes > 8 * 2 ** 20, 30);
    await load.stop();
    check(bytes > 8 * 2 ** 20, 'too little load to fill the window');
    await sent.settle([reader]);
    // Space is looked after now and then, not with every event.
    let kept = [];
    const keptBytes = () => kept.reduce((n, f) => n + f.raw.length, 0);
    await until(
        async () => {
            const r = await t.reader(relay.url, { cursor: 0, name: 'window' }).opened();
            await r.waitFor(1);
            const oldest = r.frames[0].seq;
            r.close();
            kept = reader.frames.filter((f) => f.seq >= oldest);
            if (keptBytes() <= retentionBytes) return true;
            await sleep(500);
            return false;
        },
        40,
        () => `the log keeps ${keptBytes()} bytes of events, more than RELAY_RETENTION_BYTES`,
    );
    const first = reader.frames[0].seq;
    await outdatedCursorIsTold(t, relay, kept, first, 'a cursor older than the window');
    await cursorZeroTellsNothing(t, relay, kept);
    check(keptBytes() > 2 ** 20, `only ${keptBytes()} bytes were kept of ${retentionBytes}`);
    t.note(
        `window moved: ${kept.length} of ${reader.frames.length} events kept, ${(keptBytes() / 2 ** 20).toFixed(1)} MiB`,
    );
}

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    const accounts = (
        await Promise.all(t.fleet.hosts.map((h) => Account.createMany(h, 2, 'cursor')))
    ).flat();
    const load = t.startLoad(accounts, { concurrency: 2 });
    await reader.waitFor(reader.frames.length + 120, 40);
    await load.stop();
    await sent.settle([reader]);
    const frames = [...reader.frames];

    await cursorIsExclusive(t, relay, frames);
    await cursorZeroTellsNothing(t, relay, frames);
    await outdatedCursorIsTold(t, relay, frames, 1, 'cursor 1, older than all there ever was');
    await nonsenseIsRefused(relay);
    await anyOriginMayConnect(t, relay);
    await Promise.all([
        futureCursorIsRefused(t, relay, frames),
        withoutCursorOnlyLive(t, { relay, reader, sent }),
    ]);
    await windowMoves(t);
}
