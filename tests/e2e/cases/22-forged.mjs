// Each check of an event is made, and made alone: one forgery at a time fails at the check that is
// meant for it, is not passed on, and leaves the account as it was; the good events around it, of the
// same account, arrive as they were sent.
import { encode } from '@atproto/lex-cbor';

import { compareAccounts } from '../lib/frames.mjs';
import { OwnAccount, newKey, tidAt, withHighS } from '../lib/own-account.mjs';
import { frameOf } from '../lib/scripted-host.mjs';
import { check, expectSame, until } from '../lib/util.mjs';

export const name = 'forged events';

const maxMessageBytes = 5_000_000;
const minuteMs = 60_000;

// A commit event of exactly so many bytes: some of them in a field that nobody knows.
function sized(body, seq, bytes) {
    const without = frameOf('#commit', { ...body, seq, padding: '' }).length;
    const padding = 'x'.repeat(bytes - without - 4); // the length of the text takes 5 bytes, not 1
    return frameOf('#commit', { ...body, seq, padding });
}

// A signed draft that is wrong in one way.
const draftWith = (how) => async (a) => {
    const draft = await a.draft();
    await a.host.sendBad('#commit', await a.sign(draft, await how(a, draft)));
};
const inEvent = (event) => draftWith(() => ({ event }));
const inCommit = (commit) => draftWith(() => ({ commit }));

function without(object, key) {
    const { [key]: gone, ...rest } = object;
    return rest;
}

function flipped(bytes, at) {
    const copy = Buffer.from(bytes);
    copy[at < 0 ? copy.length + at : at] ^= 1;
    return copy;
}

// An account that the directory has otherwise, or not at all, sends a commit that is right in itself.
const commitOf = async (account) => {
    const draft = await account.draft();
    account.host.sendBad('#commit', await account.sign(draft));
};

// -> [{ check, what, cutsConnection?, forge(account, others) }]
const forgeries = [
    {
        check: 'size',
        what: 'a message that is too large',
        cutsConnection: true,
        forge: async (a) => {
            const body = await a.sign(await a.draft());
            a.host.sendRaw(sized(body, ++a.host.seq, maxMessageBytes + 1));
        },
    },
    {
        check: 'size',
        what: 'a message that is too large with a longer seq',
        forge: async (a) => {
            const body = await a.sign(await a.draft());
            a.host.sendRaw(sized(body, ++a.host.seq, maxMessageBytes));
        },
    },
    {
        check: 'fields',
        what: 'a text message',
        cutsConnection: true,
        forge: (a) => a.host.sendRaw('{}'),
    },
    {
        check: 'fields',
        what: 'a message that is no frame',
        cutsConnection: true,
        forge: (a) => a.host.sendRaw(Buffer.from([0xa1, 0xff, 0x00])),
    },
    {
        check: 'fields',
        what: 'a seq that is text',
        forge: async (a) => {
            const body = await a.sign(await a.draft());
            a.host.sendRaw(frameOf('#commit', { ...body, seq: String(++a.host.seq) }));
        },
    },
    { check: 'fields', what: 'no ops', forge: inEvent((body) => without(body, 'ops')) },
    { check: 'fields', what: 'no rev', forge: inEvent((body) => without(body, 'rev')) },
    { check: 'fields', what: 'a rev that is no TID', forge: inEvent((b) => ({ ...b, rev: '3kabc' })) },
    {
        check: 'fields',
        what: 'an #account that does not say whether it is active',
        forge: (a) => a.host.sendBad('#account', without(a.account(true), 'active')),
    },
    {
        check: 'seq',
        what: 'a seq a second time',
        forge: async (a) => {
            const body = await a.sign(await a.draft());
            a.host.sendRaw(frameOf('#commit', { ...body, seq: a.host.seq }));
        },
    },
    {
        check: 'did',
        what: 'a DID of a method that is not resolved',
        forge: inEvent((b) => ({ ...b, repo: 'did:key:zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF' })),
    },
    { check: 'did', what: 'a handle for a DID', forge: inEvent((b) => ({ ...b, repo: 'own.test' })) },
    {
        check: 'limits',
        what: 'no blocks',
        forge: inEvent((b) => ({ ...b, blocks: new Uint8Array() })),
    },
    {
        check: 'limits',
        what: '201 ops',
        forge: inEvent((b) => ({ ...b, ops: Array(201).fill(b.ops[0]) })),
    },
    {
        check: 'limits',
        what: 'too many bytes of blocks',
        forge: draftWith(() => ({ extraBlocks: [encode('x'.repeat(2_000_001))] })),
    },
    {
        check: 'identity',
        what: 'a DID that the directory does not know',
        forge: (a, { unknown }) => commitOf(unknown),
    },
    {
        check: 'authority',
        what: 'an account of another host',
        seconds: 20,
        forge: async (a, { stranger }) => {
            const draft = await stranger.draft();
            a.host.sendBad('#commit', await stranger.sign(draft));
        },
    },
    {
        check: 'authority',
        what: 'an #account about an account of another host',
        seconds: 20,
        forge: (a, { stranger }) => a.host.sendBad('#account', stranger.account(false, 'deleted')),
    },
    {
        check: 'authority',
        what: 'an #identity about an account of another host',
        seconds: 20,
        forge: (a, { stranger }) => a.host.sendBad('#identity', stranger.identity()),
    },
    {
        check: 'active',
        what: 'a commit of a deactivated account',
        forge: (a, { inactive }) => commitOf(inactive),
    },
    {
        check: 'rev',
        what: 'the last commit again',
        forge: (a) => {
            const last = a.host.kept.findLast((f) => f.t === '#commit' && f.did === a.did);
            const [start, end] = last.seqSpan;
            const seq = Buffer.from(last.raw.subarray(start, end));
            seq.writeUInt32BE(++a.host.seq, 1);
            const parts = [last.raw.subarray(0, start), seq, last.raw.subarray(end)];
            a.host.sendRaw(Buffer.concat(parts));
        },
    },
    {
        check: 'rev',
        what: 'a rev of the past',
        forge: inCommit((c) => ({ ...c, rev: tidAt(Date.now() - 10 * minuteMs) })),
    },
    {
        check: 'rev',
        what: 'a #sync of the past',
        forge: async (a) => {
            const sync = await a.sync();
            await a.write();
            a.host.sendBad('#sync', sync);
        },
    },
    {
        check: 'future',
        what: 'a rev of the future',
        forge: inCommit((c) => ({ ...c, rev: tidAt(Date.now() + 10 * minuteMs) })),
    },
    {
        check: 'car',
        what: 'blocks that end early',
        forge: inEvent((b) => ({ ...b, blocks: b.blocks.subarray(0, b.blocks.length - 1) })),
    },
    {
        check: 'car',
        what: 'a block that is not what its CID says',
        forge: inEvent((b) => ({ ...b, blocks: flipped(b.blocks, -1) })),
    },
    {
        check: 'root',
        what: 'another root than the commit',
        forge: inEvent((b) => ({ ...b, commit: b.prevData })),
    },
    { check: 'commit', what: 'a commit of version 2', forge: inCommit((c) => ({ ...c, version: 2 })) },
    { check: 'commit', what: 'a commit without data', forge: inCommit((c) => without(c, 'data')) },
    {
        check: 'match',
        what: 'a commit of another account',
        forge: draftWith((a, draft) => ({
            commit: (c) => ({ ...c, did: `did:plc:${'a'.repeat(24)}` }),
        })),
    },
    {
        check: 'match',
        what: 'a commit with another rev',
        forge: inEvent((b) => ({ ...b, rev: tidAt(Date.now() + 1000) })),
    },
    {
        check: 'signature',
        what: 'one bit of the signature',
        seconds: 20,
        forge: draftWith(() => ({ signature: (bytes) => flipped(bytes, 63) })),
    },
    {
        check: 'signature',
        what: 'a high s',
        seconds: 20,
        forge: draftWith((a) => ({ signature: (bytes) => withHighS(bytes, a.type) })),
    },
    {
        check: 'signature',
        what: 'the key of somebody else',
        seconds: 20,
        forge: draftWith(async (a) => ({ key: await newKey(a.type) })),
    },
    {
        check: 'signature',
        what: 'what was signed is not what is sent',
        seconds: 20,
        forge: draftWith((a) => ({
            commit: (c) => ({ ...c, data: a.repo.commit.data }),
            key: { sign: (bytes) => a.key.sign(flipped(bytes, -1)) },
        })),
    },
];

// Sends one forgery between good events, and waits until it was counted.
async function tryOne(relay, forgery, account, others, counts) {
    const { host } = account;
    await account.write();
    await forgery.forge(account, others);
    counts[forgery.check]++;
    const what = `${forgery.check}: ${forgery.what} (${account.type})`;
    let failed;
    await until(
        async () => {
            failed = await relay.failedChecks();
            return failed[forgery.check] >= counts[forgery.check];
        },
        forgery.seconds ?? 10,
        () => `${what}: not counted; ${JSON.stringify(failed)}`,
    );
    check(JSON.stringify(failed) === JSON.stringify(counts), `${what}: counted otherwise`, [
        `expected ${JSON.stringify(counts)}`,
        `actual   ${JSON.stringify(failed)}`,
    ]);
    if (forgery.cutsConnection)
        await until(() => host.subscribers === 0, 10, `${what}: the connection was not ended`);
    await host.subscribed();
    await account.write();
}

async function makeOthers(plc, host, elsewhere) {
    const stranger = await OwnAccount.create(elsewhere, plc);
    const inactive = await OwnAccount.create(host, plc);
    const unknown = await OwnAccount.create(host, plc, { registered: false });
    for (const account of [stranger, inactive]) await account.announce();
    host.statuses.set(inactive.did, { did: inactive.did, active: false, status: 'deactivated' });
    host.send('#account', inactive.account(false, 'deactivated'));
    return { stranger, inactive, unknown };
}

export async function run(t) {
    const hosts = await t.scriptedHosts(2);
    const [host, elsewhere] = hosts;
    const relay = await t.startRelay({ hosts: hosts.map((h) => h.url).join(',') });
    const reader = await t.reader(relay.url, { cursor: 0, name: 'reader' }).opened();
    const counts = await relay.failedChecks();
    check(Object.keys(counts).length === 15, `${Object.keys(counts).length} checks in /metrics`);

    for (const h of hosts) await h.subscribed();
    const sent = () => hosts.flatMap((h) => h.expected());
    let forged = 0;
    for (const type of ['k256', 'p256']) {
        const others = await makeOthers(t.fleet.plc, host, elsewhere);
        const of = forgeries.filter((f) => type === 'k256' || f.check === 'signature');
        for (const forgery of of) {
            const account = await OwnAccount.create(host, t.fleet.plc, { type });
            await account.announce();
            await tryOne(relay, forgery, account, others, counts);
            forged++;
        }
        for (const account of Object.values(others).slice(0, 1)) await account.write();
    }
    await reader.waitFor(sent().length, 30);
    reader.expectClean();
    check(!reader.others.length, 'an #info or error frame');
    expectSame(compareAccounts(sent(), reader.frames, 'the good events'));
    check((await relay.metric('relay_events_total{verdict="unverified"}')) === 0, 'unverified');
    for (const [row, count] of Object.entries(counts)) check(count > 0, `no forgery for ${row}`);
    t.note(`${forged} forgeries among ${reader.frames.length} good events: ${JSON.stringify(counts)}`);
}
