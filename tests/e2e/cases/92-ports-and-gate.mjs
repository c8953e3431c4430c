// The face for operators: which port answers what, who may administer, and what health says of a
// relay that is well, and of one whose hosts are away.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { subscribePath } from '../lib/reader.mjs';
import { check } from '../lib/util.mjs';

export const name = 'ports and gate';

const publicPaths = ['/', '/_health', '/xrpc/_health', '/_healthz', '/_readyz'];
const privatePaths = ['/_stats', '/metrics', '/admin/hosts', '/debug', '/admin/'];

// fetch() sends no Origin or Host of our choice.
function ask(url, { method = 'GET', headers = {} } = {}) {
    return new Promise((resolve, reject) => {
        const request = http.request(url, { method, headers, agent: false }, (response) => {
            const parts = [];
            response.on('data', (d) => parts.push(d));
            response.on('end', () =>
                resolve({
                    status: response.statusCode,
                    headers: response.headers,
                    text: Buffer.concat(parts).toString(),
                }),
            );
        });
        request.on('error', reject);
        request.end();
    });
}

const basic = (text) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` });
const bearer = (text) => ({ Authorization: `Bearer ${text}` });

async function ports(relay) {
    const firehose = `http://127.0.0.1:${relay.port}`;
    for (const base of [firehose, relay.httpUrl]) {
        for (const p of publicPaths) {
            const { status } = await ask(base + p);
            check(status === 200, `GET ${base}${p}: ${status}`);
        }
        const { status } = await ask(base + subscribePath);
        check(status === 426, `GET ${base}${subscribePath} without an upgrade: ${status}`);
    }
    for (const p of privatePaths) {
        const { status } = await ask(firehose + p, { headers: bearer('second') });
        check(status === 404, `GET ${p} on the firehose port: ${status}`);
    }
    for (const p of ['/_stats', '/metrics']) {
        const { status } = await ask(relay.httpUrl + p);
        check(status === 200, `GET ${p} on the http port: ${status}`);
    }
}

async function gate(relay) {
    const hosts = `${relay.httpUrl}/admin/hosts`;
    const status = async (headers) => (await ask(hosts, { headers })).status;
    const anonymous = await ask(hosts);
    check(anonymous.status === 401, `without a password: ${anonymous.status}`);
    check(
        anonymous.headers['www-authenticate']?.startsWith('Basic '),
        '401 without WWW-Authenticate',
    );
    for (const headers of [basic('admin:first'), bearer('second'), bearer('from the file')]) {
        check((await status(headers)) === 200, `the right password: ${await status(headers)}`);
    }
    for (const headers of [
        { ...basic('admin:first'), Origin: 'https://evil.example' },
        { ...basic('admin:first'), 'Sec-Fetch-Site': 'cross-site' },
    ]) {
        check((await status(headers)) === 403, `from another site: ${await status(headers)}`);
    }
    const wrong = [];
    for (let i = 0; i < 6; i++) wrong.push(await status(bearer('wr0ng-pass')));
    check(
        wrong.join() === '401,401,401,401,401,429',
        `six wrong passwords: ${wrong.join()}`,
    );
    check((await status(bearer('second'))) === 429, 'the right password, too soon, is let in');
    const log = fs.readFileSync(relay.logPath, 'utf8');
    for (const secret of ['first', 'from the file', 'wr0ng-pass']) {
        check(!log.includes(secret), 'a password is in the log');
    }
}

async function health(relay) {
    const begin = performance.now();
    const page = JSON.parse((await ask(`${relay.httpUrl}/_health`)).text);
    const ms = performance.now() - begin;
    check(page.status === 'ok', `/_health: ${page.status}`, [JSON.stringify(page)]);
    check(page.ingest.state === 'running', `ingest: ${page.ingest.state}`);
    check(
        page.ingest.hosts_connected === 2 && page.ingest.hosts_known === 2,
        `hosts: ${page.ingest.hosts_connected} of ${page.ingest.hosts_known}`,
    );
    return ms;
}

export async function run(t) {
    const passwords = path.join(t.dir, 'passwords');
    fs.mkdirSync(t.dir, { recursive: true });
    fs.writeFileSync(passwords, 'from the file\n');
    const { relay, reader, sent } = await t.startFollowedRelay({
        settings: {
            RELAY_ADMIN_PASSWORD: 'first,second',
            RELAY_ADMIN_PASSWORD_FILE: passwords,
        },
    });
    await ports(relay);
    const ms = await health(relay);
    await gate(relay);
    await sent.settle([reader]);
    reader.expectClean();

    const closed = await t.startRelay();
    const refusal = await ask(`${closed.httpUrl}/admin/hosts`, { headers: bearer('') });
    check(refusal.status === 403, `without a password set: ${refusal.status}`);
    check(refusal.text.includes('RELAY_ADMIN_PASSWORD'), 'the 403 names no remedy');
    t.note(`/_health in ${ms.toFixed(1)} ms`);
}
