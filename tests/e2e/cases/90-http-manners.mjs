// The plain HTTP side: what a monitor, a browser, a curious crawler and a slow attacker meet.
import { exchange } from '../lib/raw.mjs';
import { subscribePath } from '../lib/reader.mjs';
import { check, until } from '../lib/util.mjs';
import net from 'node:net';

export const name = 'http manners';

function statusOf(text) {
    return Number(/^HTTP\/1\.[01] (\d{3}) /.exec(text)?.[1] ?? 0);
}

// Sends the head of a request one header at a time, for ever. -> seconds until it was cut off
function slowHeader(port, limitSeconds) {
    return new Promise((resolve) => {
        const begin = performance.now();
        const socket = net.connect(port, '127.0.0.1', () =>
            socket.write(`GET /_health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`),
        );
        const drip = setInterval(() => socket.write('X-Slow: a\r\n'), 500);
        const done = (seconds) => {
            clearInterval(drip);
            clearTimeout(limit);
            socket.destroy();
            resolve(seconds);
        };
        const limit = setTimeout(() => done(null), limitSeconds * 1000);
        socket.resume();
        socket.on('error', () => {});
        socket.on('close', () => done((performance.now() - begin) / 1000));
    });
}

async function routes(relay, base) {
    const health = await fetch(`${base}/_health`);
    check(
        health.status === 200 && (await health.json()).status === 'ok',
        'GET /_health is not {"status":"ok"}',
    );
    check(
        health.headers.get('content-type')?.startsWith('application/json'),
        'GET /_health is not application/json',
    );

    const head = await fetch(`${base}/_health`, { method: 'HEAD' });
    check(head.status === 200 && (await head.text()) === '', `HEAD /_health: ${head.status}`);

    for (const path of [
        '/no/such/route',
        '/xrpc/com.example.noSuchMethod',
        '/..%2f..%2fetc/passwd',
    ]) {
        const missing = await fetch(base + path);
        const text = await missing.text();
        check(
            missing.status === 404 || (path.startsWith('/xrpc/') && missing.status === 501),
            `GET ${path}: ${missing.status}`,
        );
        let body = {};
        try {
            body = JSON.parse(text);
        } catch {
            /* said below */
        }
        check(
            typeof body.error === 'string' && typeof body.message === 'string',
            `GET ${path}: the body is no XRPC error`,
            [text.slice(0, 200)],
        );
    }
    const plain = await fetch(base + subscribePath);
    check(
        plain.status === 426 || plain.status === 400,
        `subscribeRepos without an upgrade: ${plain.status}`,
    );
    check(
        typeof (await plain.json()).error === 'string',
        'subscribeRepos without an upgrade: no XRPC error',
    );
    for (const method of ['POST', 'DELETE', 'OPTIONS']) {
        const other = await fetch(`${base}/_health`, { method });
        const text = await other.text();
        if (method === 'OPTIONS' && other.status === 204) continue;
        check(other.status === 405, `${method} /_health: ${other.status}`);
        check(other.headers.get('allow')?.includes('GET'), `${method} /_health: 405 without Allow`);
        check(JSON.parse(text).error, `${method} /_health: no XRPC error`);
    }
}

async function observability(relay) {
    const stats = await fetch(`${relay.httpUrl}/_stats`);
    check(
        stats.status === 200 && typeof (await stats.json()) === 'object',
        'GET /_stats is no JSON',
    );
    const metrics = await relay.metrics();
    check(
        [...metrics.values()].some((m) => m.type === 'counter' && m.value > 0),
        '/metrics has no counter above 0',
    );
    check(
        [...metrics.keys()].every((k) => /^(ringlay_|relay_|process_)/.test(k)),
        '/metrics has a name without a known prefix',
    );
    return metrics.size;
}

async function keepAliveAndPipelining(port) {
    const one = `GET /_health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
    const last = `GET /_health HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
    const { text, closed } = await exchange(port, one + one + last, 5);
    const answers = text.match(/HTTP\/1\.1 200 /g)?.length ?? 0;
    check(
        answers === 3 && closed,
        `three requests in one packet: ${answers} answers, ${closed ? 'closed' : 'left open'}`,
    );
}

async function hostileRequests(port) {
    const get = (line, headers) => `${line}\r\nHost: 127.0.0.1:${port}\r\n${headers}\r\n`;
    const refused = [
        [
            'a header of 200 kB',
            get('GET /_health HTTP/1.1', `X-Big: ${'a'.repeat(200_000)}\r\n`),
            [431, 400, 413],
        ],
        [
            '5,000 headers',
            get('GET /_health HTTP/1.1', 'X-Many: a\r\n'.repeat(5000)),
            [431, 400, 413],
        ],
        ['a target of 100 kB', get(`GET /${'a'.repeat(100_000)} HTTP/1.1`, ''), [414, 431, 400]],
        ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', [400]],
        [
            'a length and chunks at once',
            get('POST /_health HTTP/1.1', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n') +
                '0\r\n\r\n',
            [400],
        ],
        [
            'two lengths',
            get('POST /_health HTTP/1.1', 'Content-Length: 5\r\nContent-Length: 6\r\n') + 'aaaaa',
            [400],
        ],
        ['a folded header', get('GET /_health HTTP/1.1', 'X-Fold: a\r\n b\r\n'), [400]],
    ];
    for (const [what, bytes, statuses] of refused) {
        const { text, closed } = await exchange(port, bytes, 5);
        const status = statusOf(text);
        // A peer that is still sending when it is refused may see a reset instead of the answer.
        const cut = closed && text === '' && bytes.length > 50_000;
        check(
            cut || statuses.includes(status),
            `${what}: ${status || JSON.stringify(text.slice(0, 60))}, not ${statuses.join(' or ')}`,
        );
        check(closed, `${what}: the connection was left open`);
    }
}

export async function run(t) {
    const { relay, reader, sent } = await t.startFollowedRelay();
    // The longest wait of all: begun first, awaited last.
    const slow = [slowHeader(relay.httpPort, 60), slowHeader(relay.port, 60)];
    let cutOff = 0;
    for (const s of slow)
        s.then(() => {
            cutOff++;
        });

    for (const base of [relay.httpUrl, `http://127.0.0.1:${relay.port}`]) await routes(relay, base);
    const size = await observability(relay);
    for (const port of [relay.port, relay.httpPort]) {
        await keepAliveAndPipelining(port);
        await hostileRequests(port);
    }
    await until(() => cutOff === slow.length, 61, 'slow headers');
    const seconds = await Promise.all(slow);
    check(
        seconds.every((s) => s !== null),
        'a request head that never ends was not cut off in 60 s',
    );
    await sent.settle([reader]); // after all that, the firehose flows
    reader.expectClean();
    check((await fetch(`${relay.httpUrl}/_health`)).status === 200, 'GET /_health after all that');
    t.note(
        `${size} samples in /metrics; slow heads cut off after ${seconds.map((s) => s.toFixed(1)).join(' and ')} s`,
    );
}
