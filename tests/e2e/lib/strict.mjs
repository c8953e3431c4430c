// The strictest consumer there is: checks of every frame all that Sync 1.1 lets a consumer check.
// No code of ours decides what a Merkle search tree is: @atproto/repo does, and @atcute/mst beside it.
import { NodeStore, NodeWrangler, MemoryBlockStore } from '@atcute/mst';
import { verifySignature } from '@atproto/crypto';
import { decodeAll, encode } from '@atproto/lex-cbor';
import {
    MST,
    MemoryBlockstore,
    def,
    parseDataKey,
    readCarWithRoot,
    verifyProofs,
} from '@atproto/repo';
import { isValidTid } from '@atproto/syntax';

export class Strict {
    // keyFor(did) -> did:key of its signing key
    constructor(keyFor) {
        this.keyFor = keyFor;
        this.repos = new Map(); // did -> { rev, data } of its last commit
        this.counts = {};
        this.failures = [];
        this.lastSeq = -1;
    }

    async accept(raw) {
        let items;
        try {
            items = [...decodeAll(raw)];
        } catch (error) {
            return this.failures.push(`not CBOR: ${error.message}`);
        }
        if (items.length !== 2) return this.failures.push(`${items.length} CBOR items in a frame`);
        const [header, body] = items;
        const kind = header.op === 1 ? header.t : `op ${header.op}`;
        this.counts[kind] = (this.counts[kind] ?? 0) + 1;
        const fail = (why) =>
            this.failures.push(`seq ${body.seq} ${kind} of ${body.repo ?? body.did}: ${why}`);
        // The decoder takes unsorted keys, long lengths and floats; writing it anew shows them.
        if (!Buffer.concat([encode(header), encode(body)]).equals(raw))
            fail('not canonical DAG-CBOR');
        if (header.op !== 1) return fail('an error frame');
        if (kind === '#info') return fail('an #info frame');
        if (!(body.seq > this.lastSeq)) fail(`seq after ${this.lastSeq}`);
        this.lastSeq = body.seq;
        if (Number.isNaN(Date.parse(body.time))) fail('time is no datetime');
        try {
            if (kind === '#commit') await this.commit(body, fail);
            if (kind === '#sync') await this.sync(body, fail);
        } catch (error) {
            fail(`${error.name}: ${error.message}`);
        }
    }

    async sync(body, fail) {
        const { root, blocks } = await readCarWithRoot(body.blocks);
        const commit = await new MemoryBlockstore(blocks).readObj(root, def.commit);
        if (commit.did !== body.did) fail('the commit is of another DID');
        if (commit.rev !== body.rev) fail('the commit has another rev');
        const { sig, ...unsigned } = commit;
        if (!(await verifySignature(await this.keyFor(body.did), encode(unsigned), sig)))
            fail('signature');
        this.repos.set(body.did, { rev: body.rev, data: commit.data.toString() });
    }

    async commit(body, fail) {
        if (!isValidTid(body.rev)) fail('rev is no TID');
        if (body.tooBig) return fail('tooBig');
        if (body.ops.length > 200) fail(`${body.ops.length} ops`);
        if (body.blocks.length > 2_000_000) fail(`${body.blocks.length} bytes of blocks`);
        const { root, blocks } = await readCarWithRoot(body.blocks); // hashes every block
        if (!root.equals(body.commit)) fail('the root of the CAR is not the commit');
        const store = new MemoryBlockstore(blocks);
        const commit = await store.readObj(root, def.commit);
        if (commit.did !== body.repo) fail('the commit is of another DID');
        if (commit.rev !== body.rev) fail('the commit has another rev');
        if (commit.version !== 3) fail('the commit is not version 3');

        const claims = body.ops.map((op) => ({
            ...parseDataKey(op.path),
            cid: op.action === 'delete' ? null : op.cid,
        }));
        const proofs = await verifyProofs(
            body.blocks,
            claims,
            body.repo,
            await this.keyFor(body.repo),
        );
        if (proofs.unverified.length) fail(`${proofs.unverified.length} ops without proof`);
        for (const op of body.ops) {
            if (op.action !== 'delete' && !blocks.has(op.cid))
                fail(`no record block for ${op.path}`);
            if ((op.action === 'create') === Boolean(op.prev))
                fail(`prev on ${op.action} of ${op.path}`);
        }
        if (body.prevData) await this.invert(body, commit.data, store, blocks, fail);
        else if (body.since) fail('no prevData');
        this.chain(body, fail);
        this.repos.set(body.repo, { rev: body.rev, data: commit.data.toString() });
    }

    // Undoing the ops must lead from the new tree to the old one.
    async invert(body, data, store, blocks, fail) {
        const undo = [...body.ops].reverse();
        let tree = MST.load(store, data);
        for (const op of undo) {
            if (op.action === 'create') tree = await tree.delete(op.path);
            else if (op.action === 'update') tree = await tree.update(op.path, op.prev);
            else tree = await tree.add(op.path, op.prev);
        }
        if (!(await tree.getPointer()).equals(body.prevData))
            fail('inversion (@atproto/repo) misses prevData');

        const nodes = new MemoryBlockStore();
        for (const entry of blocks.entries()) await nodes.put(entry.cid.toString(), entry.bytes);
        const wrangler = new NodeWrangler(new NodeStore(nodes));
        let root = data.toString();
        for (const op of undo) {
            if (op.action === 'create') root = await wrangler.deleteRecord(root, op.path);
            else root = await wrangler.putRecord(root, op.path, { $link: op.prev.toString() });
        }
        if (root !== body.prevData.toString()) fail('inversion (@atcute/mst) misses prevData');
    }

    // Each commit of an account builds on the one before it.
    chain(body, fail) {
        const before = this.repos.get(body.repo);
        if (!before) return;
        if (!(body.rev > before.rev)) fail(`rev ${body.rev} after ${before.rev}`);
        if (body.since !== before.rev)
            fail(`since ${body.since}, but the last rev was ${before.rev}`);
        if (body.prevData?.toString() !== before.data)
            fail('prevData is not the data of the commit before');
    }
}
