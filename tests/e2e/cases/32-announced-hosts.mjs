// A relay that knows no host: two real PDSes announce themselves. One is stopped for a while, moved to
// another port, the other restored from an older copy; each time the relay says what is wrong, and
// takes up what comes.
import fs from 'node:fs';
import path from 'node:path';

import plcLib from '@did-plc/lib';
import { Secp256k1Keypair } from '@atproto/crypto';

import { Account } from '../lib/account.mjs';
import { Fleet } from '../lib/fleet.mjs';
import { check, freePorts, until } from '../lib/util.mjs';

const { Client: PlcClient } = plcLib;

export const name = 'announced-hosts';

const password = 'e2e-password';
const nameOf = (host) => new URL(host.url).host;

async function post(relay, method, body) {
    const response = await fetch(`${relay.httpUrl}/xrpc/com.atproto.sync.${method}`, {
        method: 'POST',
        body,
    });
    return { status: response.status, text: await response.text() };
}

// What /admin/hosts tells of one host; undefined: nothing.
async function seen(relay, hostname) {
    const response = await fetch(`${relay.httpUrl}/admin/hosts?name=${hostname}`, {
        headers: { authorization: `Bearer ${password}` },
    });
    check(response.status === 200, `GET /admin/hosts: ${response.status}`);
    return (await response.json()).hosts.find((h) => h.hostname === hostname);
}

async function status(relay, hostname) {
    const { status, body } = await relay.query('getHostStatus', { hostname });
    check(status === 200, `getHostStatus of ${hostname}: ${status} ${JSON.stringify(body)}`);
    return body;
}

async function tells(relay, hostname, what, condition) {
    let row;
    await until(
        async () => condition((row = await seen(relay, hostname))),
        40,
        () => `${what}: ${JSON.stringify(row)}`,
    );
    return row;
}

async function arrives(reader, account, what, seconds = 60) {
    const { rev } = await account.createNote();
    await until(
        () => reader.frames.some((f) => f.did === account.did && f.rev === rev),
        seconds,
        () => `${what} did not arrive; ${reader.frames.length} events seen`,
    );
}

// The accounts of a PDS follow it: their documents name its new address.
async function moveDocument(account, host) {
    const signer = await Secp256k1Keypair.import(host.rotationKey);
    await new PlcClient(host.plc).updateData(account.did, signer, (last) => ({
        ...last,
        services: { ...last.services, atproto_pds: { ...last.services.atproto_pds, endpoint: host.url } },
    }));
}

export async function run(t) {
    const relay = t.newRelay({
        hosts: '',
        settings: {
            RELAY_UPSTREAM: '',
            RELAY_ALLOW_PRIVATE_HOSTS: 'all',
            RELAY_ADMIN_PASSWORD: password,
        },
    });
    await (await relay.start()).ready();
    const dir = path.join(t.dir, 'pds');
    fs.mkdirSync(dir, { recursive: true });
    // Whatever process has it, the folder of a PDS is named after its port.
    const startPds = async (port) => {
        const fleet = await Fleet.start(dir, 1, {
            plc: t.fleet.plc,
            ports: [port],
            crawlers: [relay.httpUrl],
            writers: false,
        });
        t.readers.push({ close: () => fleet.stop() });
        return { fleet, host: fleet.hosts[0] };
    };
    const folder = (port) => path.join(dir, `pds-${port}`);
    const [portA, portB, portC, deadPort] = await freePorts(4);
    const reader = await t.reader(relay.url, { cursor: 0, name: 'reader' }).opened();

    // What is no host is refused in words.
    const nobody = await post(relay, 'requestCrawl', '{"hostname":"localhost"}');
    check(
        nobody.status === 400 && nobody.text.includes('localhost:2583'),
        `localhost: ${nobody.status} ${nobody.text}`,
    );
    const dead = await post(relay, 'requestCrawl', `{"hostname":"localhost:${deadPort}"}`);
    check(
        dead.status === 400 && dead.text.includes('HostNotFound'),
        `nobody there: ${dead.status} ${dead.text}`,
    );
    const itself = await post(relay, 'requestCrawl', `{"hostname":"localhost:${relay.port}"}`);
    check(
        itself.status === 400 && itself.text.includes('relay'),
        `itself: ${itself.status} ${itself.text}`,
    );
    check(!(await seen(relay, `localhost:${deadPort}`)), 'a refused host has a row');

    // Two that announce themselves at their first event.
    let a = await startPds(portA);
    let b = await startPds(portB);
    const ofA = await Account.create(a.host, 'announced');
    const ofB = await Account.create(b.host, 'announced');
    await arrives(reader, ofA, 'an event of the first PDS');
    await arrives(reader, ofB, 'an event of the second PDS');
    for (const { host } of [a, b]) {
        const row = await tells(
            relay,
            nameOf(host),
            'an announced host is not active',
            (r) => r?.state === 'active' && r.live?.phase === 'connected',
        );
        check(row.source === 'crawl' && row.added_from === '127.0.0.1', JSON.stringify(row));
        const listed = (await relay.query('listHosts', {})).body.hosts;
        check(
            listed.some((h) => h.hostname === nameOf(host) && h.seq > 0 && h.status === 'active'),
            `listHosts: ${JSON.stringify(listed)}`,
        );
    }
    const known = await post(relay, 'notifyOfUpdate', `{"hostname":"${nameOf(a.host)}"}`);
    check(known.status === 200 && known.text === '', `known: ${known.status} ${known.text}`);

    // Stopped for a while: said so, and nothing is lost when it is back.
    await a.fleet.stop();
    const gone = await tells(
        relay,
        nameOf(a.host),
        'a host that is gone is not offline',
        (r) =>
            r?.state === 'offline' &&
            r.live?.phase === 'waiting' &&
            r.live.next_attempt_ms > 0 &&
            r.live.failure?.includes('cannot connect'),
    );
    t.note(`stopped: ${gone.state}, ${gone.live.failure}`);
    await arrives(reader, ofB, 'an event while the other PDS is away');
    const seqBefore = (await status(relay, nameOf(a.host))).seq;
    check(seqBefore > 0, 'the cursor of a host that is gone is forgotten');
    a = await startPds(portA);
    await arrives(reader, ofA, 'an event of the PDS that is back');
    check((await status(relay, nameOf(a.host))).seq >= seqBefore, 'its seq went back');

    // Moved to another port: another host, which its accounts follow.
    await a.fleet.stop();
    fs.renameSync(folder(portA), folder(portC));
    const moved = await startPds(portC);
    await moveDocument(ofA, moved.host);
    ofA.host = moved.host;
    await arrives(reader, ofA, 'an event of the PDS at its new port');
    const left = await tells(
        relay,
        nameOf(a.host),
        'the old port is not offline',
        (r) => r?.state === 'offline',
    );
    t.note(`moved: the old port is ${left.state}, ${left.live.failure}`);
    await tells(
        relay,
        nameOf(moved.host),
        'the new port is not active',
        (r) => r?.state === 'active' && r.seq > 0,
    );
    check((await status(relay, nameOf(moved.host))).status === 'active', 'its public status is not');

    // Restored from an older copy: its seq is behind what the relay has.
    await b.fleet.stop();
    fs.cpSync(folder(portB), path.join(dir, 'copy'), { recursive: true });
    b = await startPds(portB);
    for (let i = 0; i < 20; i++) await ofB.createNote();
    await arrives(reader, ofB, 'an event before the loss');
    const ahead = (await status(relay, nameOf(b.host))).seq;
    await b.fleet.stop();
    fs.rmSync(folder(portB), { recursive: true });
    fs.renameSync(path.join(dir, 'copy'), folder(portB));
    b = await startPds(portB);
    // Only what is said live counts now: an event of a moment in which nobody listens is in no stream.
    await tells(
        relay,
        nameOf(b.host),
        'a restored host is not connected again',
        (r) => r?.live?.phase === 'connected' && r.live.failure?.includes('FutureCursor'),
    );
    await arrives(reader, ofB, 'an event of the restored PDS');
    let behind;
    await until(
        async () => (behind = (await status(relay, nameOf(b.host))).seq) < ahead,
        10,
        () => `getHostStatus still says ${behind}, which was lost with ${ahead}`,
    );
    const told = await seen(relay, nameOf(b.host));
    t.note(`restored: seq ${ahead} became ${behind}; ${told.live.failure}`);
    reader.expectClean();
}
