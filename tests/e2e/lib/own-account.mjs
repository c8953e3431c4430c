// An account whose keys are ours: registered at the real did:plc directory, with a repository made by
// @atproto/repo. It can do everything a PDS does for its accounts, rightly or wrongly.
import crypto from 'node:crypto';

import { P256Keypair, Secp256k1Keypair } from '@atproto/crypto';
import { cidForLex, decode, encode } from '@atproto/lex-cbor';
import { BlockMap, MemoryBlockstore, Repo, WriteOpAction, blocksToCarFile } from '@atproto/repo';
import plcLib from '@did-plc/lib';

const { Client } = plcLib;

const tidDigits = '234567abcdefghijklmnopqrstuvwxyz';

// A rev of this time, which may be any.
export function tidAt(unixMs) {
    let value = (BigInt(Math.floor(unixMs)) * 1000n) << 10n;
    let text = '';
    for (let i = 0; i < 13; i++) {
        text = tidDigits[Number(value & 31n)] + text;
        value >>= 5n;
    }
    return text;
}

export function newKey(type) {
    return type === 'p256'
        ? P256Keypair.create({ exportable: true })
        : Secp256k1Keypair.create({ exportable: true });
}

// The other s of the same signature: as good to arithmetic, and forbidden.
export function withHighS(signature, type) {
    const order = {
        k256: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
        p256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    }[type];
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`);
    const high = (order - s).toString(16).padStart(64, '0');
    return Buffer.concat([signature.subarray(0, 32), Buffer.from(high, 'hex')]);
}

let names = 0;

export class OwnAccount {
    // Registered with `host` as its PDS. `registered: false`: the directory knows nothing of it.
    static async create(host, plc, { type = 'k256', registered = true } = {}) {
        const account = new OwnAccount();
        Object.assign(account, { host, plc, type, records: 0 });
        account.key = await newKey(type);
        account.rotationKey = await newKey('k256');
        account.handle = `own${++names}.test`;
        const genesis = {
            signingKey: account.key.did(),
            handle: account.handle,
            pds: host.url,
            rotationKeys: [account.rotationKey.did()],
            signer: account.rotationKey,
        };
        if (registered) {
            account.did = await new Client(plc).createDid(genesis);
        } else {
            account.did = `did:plc:${tidAt(Math.random() * 1e12).slice(1)}${tidAt(Date.now()).slice(1)}`;
        }
        account.repo = await Repo.create(new MemoryBlockstore(), account.did, account.key, []);
        return account;
    }

    // What a PDS sends when an account is made.
    async announce() {
        await this.host.send('#identity', this.identity());
        await this.host.send('#account', this.account(true));
        const blocks = new BlockMap();
        for (const cid of [this.repo.cid, this.repo.commit.data])
            blocks.set(cid, await this.repo.storage.getBytes(cid));
        await this.host.send('#commit', {
            ...this.envelope({ rev: this.repo.commit.rev, commit: this.repo.cid }),
            since: null,
            blocks: await blocksToCarFile(this.repo.cid, blocks),
            ops: [],
        });
        await this.host.send('#sync', await this.sync());
        return this;
    }

    identity() {
        return { did: this.did, time: new Date().toISOString(), handle: this.handle };
    }

    account(active, status) {
        const time = new Date().toISOString();
        return { did: this.did, time, active, ...(status && { status }) };
    }

    async sync() {
        const blocks = new BlockMap();
        blocks.set(this.repo.cid, await this.repo.storage.getBytes(this.repo.cid));
        return {
            did: this.did,
            rev: this.repo.commit.rev,
            time: new Date().toISOString(),
            blocks: await blocksToCarFile(this.repo.cid, blocks),
        };
    }

    envelope({ rev, commit }) {
        const time = new Date().toISOString();
        return { repo: this.did, rev, commit, rebase: false, tooBig: false, blobs: [], time };
    }

    // A good commit with one new record, and the repository as it is with it.
    async write() {
        const draft = await this.draft();
        await this.host.send('#commit', await this.sign(draft));
        await this.keep(draft);
    }

    async draft() {
        const collection = 'com.example.e2e.own';
        const rkey = tidAt(Date.now() + ++this.records);
        const record = { $type: collection, text: `record ${this.records}` };
        const write = { action: WriteOpAction.Create, collection, rkey, record };
        const data = await this.repo.formatCommit([write], this.key);
        const op = { action: 'create', path: `${collection}/${rkey}`, cid: await cidForLex(record) };
        return { data, ops: [op] };
    }

    async keep({ data }) {
        this.repo = await this.repo.applyCommit(data);
    }

    // The payload of a draft, signed anew with whatever is wrong about it: `commit` changes the
    // commit block before it is signed by `key`, `signature` the signature, `event` the payload.
    async sign({ data, ops }, { commit, key = this.key, signature, event, extraBlocks } = {}) {
        const blocks = new BlockMap();
        blocks.addMap(data.newBlocks);
        blocks.addMap(data.relevantBlocks);
        const { sig, ...unsigned } = decode(blocks.get(data.cid));
        blocks.delete(data.cid);
        const changed = commit ? commit(unsigned) : unsigned;
        const made = sig && !commit && key === this.key ? sig : await key.sign(encode(changed));
        const block = encode({ ...changed, sig: signature ? signature(made) : made });
        const cid = await cidForLex(decode(block));
        const all = new BlockMap();
        all.set(cid, block);
        all.addMap(blocks);
        for (const bytes of extraBlocks ?? []) all.set(await cidForLex(decode(bytes)), bytes);
        const body = {
            ...this.envelope({ rev: changed.rev ?? data.rev, commit: cid }),
            since: data.since,
            prevData: this.repo.commit.data,
            blocks: await blocksToCarFile(cid, all),
            ops,
        };
        return event ? event(body) : body;
    }

    // At the directory. The relay is told by an #identity, or finds out by itself.
    async rotateKey(type) {
        const key = await newKey(type);
        await new Client(this.plc).updateAtprotoKey(this.did, this.rotationKey, key.did());
        const old = this.key;
        this.key = key;
        this.type = type;
        return old;
    }

    async moveTo(host) {
        await new Client(this.plc).updatePds(this.did, this.rotationKey, host.url);
        this.host = host;
    }
}

export function randomBytes(count) {
    return crypto.randomBytes(count);
}
