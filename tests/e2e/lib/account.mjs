// An account at a PDS, and what one can do with it that shows on the firehose.
import { Secp256k1Keypair } from '@atproto/crypto';
import plcLib from '@did-plc/lib';

import { sleep } from './util.mjs';

const { Client: PlcClient } = plcLib;

let names = 0;

async function call(host, method, { token, admin, body } = {}) {
    const headers = { 'content-type': 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    if (admin)
        headers.authorization = `Basic ${Buffer.from(`admin:${host.adminPassword}`).toString('base64')}`;
    if (!body) delete headers['content-type'];
    const response = await fetch(`${host.url}/xrpc/${method}`, {
        method: 'POST',
        headers,
        body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok)
        throw new Error(`${host.url} ${method}: ${response.status} ${text.slice(0, 200)}`);
    return text ? JSON.parse(text) : {};
}

async function get(host, method, { token, parameters = {} }) {
    const url = `${host.url}/xrpc/${method}?${new URLSearchParams(parameters)}`;
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    const response = await fetch(url, { headers });
    const text = await response.text();
    if (!response.ok)
        throw new Error(`${host.url} ${method}: ${response.status} ${text.slice(0, 200)}`);
    return JSON.parse(text);
}

export class Account {
    static async create(host, prefix = 'user') {
        const handle = `${prefix}${++names}h${host.index}.test`;
        const made = await call(host, 'com.atproto.server.createAccount', {
            body: {
                handle,
                email: `${handle.replace('.test', '')}@example.com`,
                password: 'hunter22',
            },
        });
        const account = new Account();
        Object.assign(account, { host, handle, did: made.did, token: made.accessJwt, keys: [] });
        return account;
    }

    static async createMany(host, count, prefix) {
        const made = [];
        while (made.length < count) {
            const batch = Math.min(6, count - made.length);
            made.push(
                ...(await Promise.all(
                    Array.from({ length: batch }, () => Account.create(host, prefix)),
                )),
            );
        }
        return made;
    }

    post(method, body) {
        return call(this.host, method, { token: this.token, body });
    }

    admin(method, body) {
        return call(this.host, method, { admin: true, body });
    }

    // -> { rev, rkey }
    async create(collection, record) {
        const made = await this.post('com.atproto.repo.createRecord', {
            repo: this.did,
            collection,
            validate: false,
            record: { $type: collection, ...record },
        });
        const rkey = made.uri.split('/').pop();
        this.keys.push({ collection, rkey });
        return { rev: made.commit.rev, rkey };
    }

    createNote(textBytes = 40) {
        return this.create('com.example.e2e.note', {
            text: 'n'.repeat(textBytes),
            createdAt: new Date().toISOString(),
        });
    }

    update({ collection, rkey }, record) {
        return this.post('com.atproto.repo.putRecord', {
            repo: this.did,
            collection,
            rkey,
            validate: false,
            record: { $type: collection, ...record },
        });
    }

    remove({ collection, rkey }) {
        this.keys = this.keys.filter((k) => k.rkey !== rkey);
        return this.post('com.atproto.repo.deleteRecord', { repo: this.did, collection, rkey });
    }

    // One commit of `creates` creates, and one update and one delete where there are records for it.
    applyWrites(creates) {
        const collection = 'com.example.e2e.batch';
        const type = (action) => `com.atproto.repo.applyWrites#${action}`;
        const writes = Array.from({ length: creates }, (_, i) => ({
            $type: type('create'),
            collection,
            value: { $type: collection, i },
        }));
        const [old, older] = this.keys.splice(0, 2);
        if (old)
            writes.push({
                $type: type('update'),
                ...old,
                value: { $type: old.collection, text: 'batched' },
            });
        if (older) writes.push({ $type: type('delete'), ...older });
        return this.post('com.atproto.repo.applyWrites', {
            repo: this.did,
            validate: false,
            writes,
        });
    }

    rename() {
        return this.post('com.atproto.identity.updateHandle', { handle: `re${this.handle}` });
    }

    deactivate() {
        return this.post('com.atproto.server.deactivateAccount', {});
    }

    activate() {
        return this.post('com.atproto.server.activateAccount');
    }

    // To another PDS, as a user's client does it, but for the signature of the directory's operation:
    // a PDS would ask for it by mail. -> the account as the old PDS still has it
    async moveTo(host) {
        const method = 'com.atproto.server.createAccount';
        const service = await get(host, 'com.atproto.server.describeServer', {});
        const { token } = await get(this.host, 'com.atproto.server.getServiceAuth', {
            token: this.token,
            parameters: { aud: service.did, lxm: method },
        });
        const handle = `moved${this.handle}`;
        const made = await call(host, method, {
            token,
            body: {
                did: this.did,
                handle,
                email: `${handle.replace('.test', '')}@example.com`,
                password: 'hunter22',
            },
        });
        const url = `${this.host.url}/xrpc/com.atproto.sync.getRepo?did=${this.did}`;
        const archive = Buffer.from(await (await fetch(url)).arrayBuffer());
        const headers = {
            'content-type': 'application/vnd.ipld.car',
            authorization: `Bearer ${made.accessJwt}`,
        };
        const imported = await fetch(`${host.url}/xrpc/com.atproto.repo.importRepo`, {
            method: 'POST',
            headers,
            body: archive,
        });
        if (!imported.ok) throw new Error(`importRepo: ${imported.status} ${await imported.text()}`);

        const left = Object.assign(new Account(), this);
        Object.assign(this, { host, handle, token: made.accessJwt, keys: [] });
        const credentials = await get(
            host,
            'com.atproto.identity.getRecommendedDidCredentials',
            this,
        );
        const signer = await Secp256k1Keypair.import(left.host.rotationKey);
        await new PlcClient(left.host.plc).updateData(this.did, signer, (last) => ({
            ...last,
            ...credentials,
        }));
        await this.activate();
        return left;
    }

    takedown(applied) {
        return this.admin('com.atproto.admin.updateSubjectStatus', {
            subject: { $type: 'com.atproto.admin.defs#repoRef', did: this.did },
            takedown: { applied, ref: 'e2e' },
        });
    }

    erase() {
        return this.admin('com.atproto.admin.deleteAccount', { did: this.did });
    }
}

// Some of everything a PDS can send, at one host. Takes about 5 s and makes some 200 events.
export async function mixedLoad(host, { accounts = 10, writes = 6 } = {}) {
    const all = await Account.createMany(host, accounts, 'mixed');
    const collections = ['app.bsky.feed.post', 'app.bsky.feed.like', 'com.example.e2e.note'];
    await Promise.all(
        all.map(async (account, a) => {
            for (let i = 0; i < writes; i++) {
                const collection = collections[(a + i) % collections.length];
                const made = await account.create(collection, {
                    text: `π ${i}`,
                    langs: ['en'],
                    deep: { a: [1, null, true] },
                });
                if (i % 3 === 1)
                    await account.update({ collection, rkey: made.rkey }, { text: `again ${i}` });
                if (i % 3 === 2) await account.remove({ collection, rkey: made.rkey });
            }
            await account.applyWrites(1 + a * 2);
        }),
    );
    const [renamed, paused, taken, restored, erased] = all;
    await renamed.rename();
    await paused.deactivate();
    await paused.activate();
    await paused.createNote();
    await taken.takedown(true);
    await restored.takedown(true);
    await restored.takedown(false);
    await restored.createNote();
    await erased.createNote();
    await erased.erase();
    return all;
}

// Writes at every account's host, `concurrency` writers a host, until stop() is awaited; that gives
// the number of commits. With textBytes the records are that large, else small and of all kinds.
export function startLoad(accounts, { concurrency = 4, textBytes = 0, pauseMs = 0 } = {}) {
    let running = true;
    let commits = 0;
    const writer = async (account, offset) => {
        for (let i = offset; running; i++) {
            if (textBytes) await account.createNote(textBytes);
            else if (i % 10 === 7) await account.applyWrites(5);
            else if (i % 10 === 4 && account.keys.length)
                await account.update(account.keys[0], { text: `u${i}` });
            else if (i % 10 === 9 && account.keys.length) await account.remove(account.keys[0]);
            else await account.createNote(20 + (i % 7) * 60);
            commits++;
            if (pauseMs) await sleep(pauseMs);
        }
    };
    const byHost = new Map();
    for (const account of accounts) {
        const group = byHost.get(account.host) ?? [];
        group.push(account);
        byHost.set(account.host, group);
    }
    // One writer an account: two would race for account.keys.
    const writers = [...byHost.values()].flatMap((group) =>
        group.slice(0, concurrency).map(writer),
    );
    const failed = Promise.all(writers);
    failed.catch(() => {});
    return {
        commits: () => commits,
        async stop() {
            running = false;
            await failed;
            return commits;
        },
    };
}
