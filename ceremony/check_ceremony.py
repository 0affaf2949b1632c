#!/usr/bin/env python3
"""Checks a ceremony against SPEC.md, in another language and with another curve library.

    cargo run --features testing --example make_ceremony -- 3 4 2 ssv 1 | python3 check_ceremony.py

Reads the lines that make_ceremony prints, roots included, and makes everything again from roots and plan: cards, deals to
the byte, transcript, outputs, shares, possession proofs, every partial and every combined signature, certificate. Needs
cryptography, pycryptodome, and py_ecc or (much faster, for large ceremonies) blspy.
"""
import hashlib
import hmac
import sys

from Crypto.Hash import keccak
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

R = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001

if "--py-ecc" in sys.argv:
    from py_ecc.bls import G2ProofOfPossession as pop
    from py_ecc.bls.point_compression import compress_G1
    from py_ecc.optimized_bls12_381 import G1, multiply

    LIBRARY = "py_ecc"

    def times_g(k):
        return compress_G1(multiply(G1, k)).to_bytes(48, "big")

    def bls_sign(k, message):
        return pop.Sign(k, message)
else:
    from blspy import PopSchemeMPL, PrivateKey

    LIBRARY = "blspy"

    def times_g(k):
        return bytes(PrivateKey.from_bytes(num(k)).get_g1())

    def bls_sign(k, message):
        return bytes(PopSchemeMPL.sign(PrivateKey.from_bytes(num(k)), message))


# --- section 2: functions


def sha(b):
    return hashlib.sha256(b).digest()


def th(tag, *parts):
    t = sha(b"agdkg-v1/" + tag)
    return sha(t + t + b"".join(parts))


def ext(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def exp(prk, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([i]), hashlib.sha256).digest()
        out, i = out + block, i + 1
    return out[:length]


def sc(prk, tag, *info):
    return int.from_bytes(exp(prk, b"agdkg-v1/" + tag + b"".join(info), 48), "big") % R


def h2s(tag, *parts):
    dst = b"agdkg-v1/" + tag
    dst += bytes([len(dst)])
    b0 = sha(bytes(64) + b"".join(parts) + (48).to_bytes(2, "big") + b"\0" + dst)
    b1 = sha(b0 + b"\1" + dst)
    b2 = sha(bytes(x ^ y for x, y in zip(b0, b1)) + b"\2" + dst)
    return int.from_bytes((b1 + b2)[:48], "big") % R


def num(k):
    return k.to_bytes(32, "big")


def u(value, length):
    return value.to_bytes(length, "big")


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "truncated"
        self.at += n
        return self.data[self.at - n : self.at]

    def int(self, n):
        return int.from_bytes(self.take(n), "big")

    def end(self):
        assert self.at == len(self.data), "trailing bytes"


def verify(public_key, digest, signature):
    Ed25519PublicKey.from_public_bytes(public_key).verify(signature, digest)


def signed_body(data, public_key):
    verify(public_key, th(b"msg", data[:-64]), data[-64:])
    return data[:-64]


# --- section 5: identity and card


class Identity:
    def __init__(self, root):
        p = ext(b"agdkg-v1/root", root)
        self.p = p
        self.ed = Ed25519PrivateKey.from_private_bytes(exp(p, b"agdkg-v1/id-sign", 32))
        self.sign_pk = self.ed.public_key().public_bytes_raw()
        self.x = sc(p, b"id-enc")
        self.enc_pk = times_g(self.x)
        self.deal_key = exp(p, b"agdkg-v1/id-deal", 32)


def read_card(data, me):
    r = Reader(data)
    assert r.take(8) == b"AGDKG1CD"
    assert (r.take(32), r.take(48)) == (me.sign_pk, me.enc_pk), "the card is not of this root"
    k = sc(me.p, b"nonce-id", me.sign_pk, me.enc_pk)
    announced = times_g(k)
    assert r.take(48) == announced
    assert r.int(32) == (k + h2s(b"pok-id", me.sign_pk, me.enc_pk, announced) * me.x) % R
    r.take(r.int(1)).decode()
    r.int(8)
    sealed = 0
    bind = r.int(1)
    assert bind in (0, 1)
    if bind:
        r.take(16)
        r.take(r.int(2))
        sealed = len(r.take(r.int(2)))
    r.take(64)
    r.end()
    signed_body(data, me.sign_pk)
    return sealed


# --- section 6: plan


def read_plan(data, identities):
    r = Reader(data)
    p = type("Plan", (), {})()
    p.hash = th(b"plan", data)
    assert r.take(8) == b"AGDKG1PL" and r.int(1) == 1
    p.profile, flags = r.int(1), r.int(2)
    assert p.profile in (0, 1) and flags < 4
    p.proofs = flags & 1
    r.take(32 + 16)
    p.fork, p.chain = r.take(4), r.int(8)
    r.take(r.int(1)).decode()
    p.t, p.m, n = r.int(1), r.int(2), r.int(1)
    p.ids, p.sealed = [], []
    for _ in range(n):
        assert r.int(1) == 3
        p.ids.append(r.int(8))
        assert r.int(8) == 0
        p.sealed.append(read_card(r.take(r.int(2)), identities[p.ids[-1]]))
    assert p.ids == sorted(set(p.ids)) and 0 not in p.ids and 2 <= p.t <= n <= 64
    p.amounts = [r.int(8) for _ in range(r.int(1))]
    credentials = [r.take(32) for _ in range(r.int(2))]
    p.credentials = credentials * p.m if len(credentials) == 1 else credentials
    section = Reader(r.take(r.int(2)))
    if p.profile == 1:
        p.owner, p.first, p.window = section.take(20), section.int(8), section.int(1)
    section.end()
    assert r.int(4) == 0
    r.end()
    return p


def words(h):
    stretched = hashlib.scrypt(h, salt=b"agdkg-v1/words", n=32768, r=8, p=1, maxmem=1 << 27, dklen=14)
    bits = int.from_bytes(stretched, "big") >> 2
    return [bits >> 11 * (9 - i) & 2047 for i in range(10)]


# --- section 7: the deal, made again from the root


def make_deal(plan, me, my_id, identities):
    cs = exp(me.deal_key, b"agdkg-v1/ceremony" + plan.hash, 32)
    sender = u(my_id, 8)
    a = [[sc(cs, b"coef", u(v, 2), u(k, 1)) for k in range(plan.t)] for v in range(plan.m)]
    c = [[times_g(x) for x in row] for row in a]
    hc = th(b"coms", *[point for row in c for point in row])
    e = sc(cs, b"eph", hc)
    ephemeral = times_g(e)
    k = sc(cs, b"nonce-eph", hc)
    announced = times_g(k)
    z = (k + h2s(b"pok-eph", plan.hash, sender, ephemeral, announced) * e) % R
    pub = b"AGDKG1R1" + plan.hash + sender + ephemeral + announced + num(z)
    for v in range(plan.m):
        block = b"".join(c[v])
        k = sc(cs, b"nonce-pok", u(v, 2), th(b"coms", block))
        announced = times_g(k)
        z = (k + h2s(b"pok-deal", plan.hash, sender, u(v, 2), block, announced) * a[v][0]) % R
        pub += block + announced + num(z)
    keys = []
    for j in plan.ids:
        holder = identities[j]
        shared = times_g(e * holder.x % R)
        keys.append(ext(th(b"kem", plan.hash, sender, u(j, 8), ephemeral, holder.enc_pk), shared))
    enc, shares = b"", {j: [] for j in plan.ids}
    for v in range(plan.m):
        for j, key in zip(plan.ids, keys):
            share = sum(x * pow(j, k, R) for k, x in enumerate(a[v])) % R
            shares[j].append(share)
            enc += num((share + sc(key, b"pad", u(v, 2))) % R)
    r1_hash = th(b"r1", th(b"r1-pub", pub), th(b"r1-enc", enc))
    signature = me.ed.sign(th(b"msg", b"AGDKG1R1" + r1_hash))
    return pub + enc + signature, r1_hash, [row[0] for row in a], shares


# --- sections 9 to 11


def tree(level):
    while len(level) > 1:
        level = [th(b"node", *level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def deposit_root(plan, v, key, amount):
    h2 = lambda x, y: sha(x + y)
    message = h2(
        h2(h2(key[:32], key[32:] + bytes(16)), plan.credentials[v]), h2(amount.to_bytes(8, "little") + bytes(24), bytes(32))
    )
    domain = b"\3\0\0\0" + h2(plan.fork + bytes(28), bytes(32))[:28]
    return h2(message, domain)


def keccak256(data):
    return keccak.new(digest_bits=256, data=data).digest()


def checksummed(address):
    text = address.hex()
    digest = keccak256(text.encode()).hex()
    return "0x" + "".join(c.upper() if int(digest[i], 16) >= 8 else c for i, c in enumerate(text))


def messages(plan, v, key):
    found = [deposit_root(plan, v, key, amount) for amount in plan.amounts]
    if plan.profile == 1:
        for i in range(plan.window):
            found.append(keccak256(f"{checksummed(plan.owner)}:{plan.first + v + i}".encode()))
    return found


def main():
    given = {}
    for line in sys.stdin:
        name, *rest = line.split()
        given.setdefault(name, []).append(rest)
    identities = {int(i): Identity(bytes.fromhex(root)) for i, root in given["root"]}
    plan = read_plan(bytes.fromhex(given["plan"][0][0]), identities)
    wordlist = {w: i for i, w in enumerate(open(sys.path[0] + "/src/agdkg/bip39-english.txt").read().split())}
    assert [wordlist[w] for w in given["words"][0]] == words(plan.hash)

    hashes, constants, shares = [], [0] * plan.m, {j: [0] * plan.m for j in plan.ids}
    for i, (given_deal,) in zip(plan.ids, given["r1"]):
        deal, r1_hash, mine, sent = make_deal(plan, identities[i], i, identities)
        assert deal.hex() == given_deal, f"the deal of {i}"
        assert len(deal) == 240 + plan.m * (48 * plan.t + 80 + 32 * len(plan.ids))
        hashes.append(u(i, 8) + r1_hash)
        constants = [(x + y) % R for x, y in zip(constants, mine)]
        for j in plan.ids:
            shares[j] = [(x + y) % R for x, y in zip(shares[j], sent[j])]
    transcript = th(b"transcript", plan.hash, u(len(hashes), 1), *hashes)
    keys = [times_g(x) for x in constants]
    share_keys = {j: [times_g(x) for x in shares[j]] for j in plan.ids}
    leaves = []
    for v in range(plan.m):
        holders = b"".join(u(j, 8) + share_keys[j][v] for j in plan.ids)
        leaves.append(th(b"leaf", u(v, 2), u(plan.t, 1), keys[v], u(len(plan.ids), 1), holders))
    root = tree(leaves)
    assert [k.hex() for k in keys] == [k for (k,) in given["key"]]
    expected = [[str(j), num(s).hex()] for j in plan.ids for s in shares[j]]
    assert given["share"] == expected

    to_sign = [messages(plan, v, keys[v]) for v in range(plan.m)]
    certificate = b"AGDKG1CT" + plan.hash + transcript + root + u(len(plan.ids), 1)
    for position, (j, (given_file,)) in enumerate(zip(plan.ids, given["r2"])):
        me = identities[j]
        r = Reader(signed_body(bytes.fromhex(given_file), me.sign_pk))
        assert r.take(8 + 32 + 8 + 32 + 32) == b"AGDKG1R2" + plan.hash + u(j, 8) + transcript + root
        certified = r.take(64)
        verify(me.sign_pk, th(b"cert", plan.hash, transcript, root, u(j, 8)), certified)
        certificate += u(j, 8) + certified
        cs = exp(me.deal_key, b"agdkg-v1/ceremony" + plan.hash, 32)
        k = sc(cs, b"nonce-pos", transcript, root)
        announced = times_g(k)
        c = h2s(b"possession", plan.hash, transcript, root, u(j, 8), announced)
        assert r.take(48) == announced
        assert r.int(32) == (k + sum(pow(c, v + 1, R) * s for v, s in enumerate(shares[j]))) % R
        for v in range(plan.m):
            for message in to_sign[v]:
                assert r.take(96) == bls_sign(shares[j][v], message), f"a partial signature of {j}"
            if plan.profile == 1:
                r.take(plan.sealed[position] * (2 if plan.proofs else 1))
        r.end()
    assert certificate.hex() == given["certificate"][0][0]
    whole = [bls_sign(constants[v], message).hex() for v in range(plan.m) for message in to_sign[v]]
    assert whole == [s for (s,) in given["signature"]]
    kind = "ssv" if plan.profile else "generic"
    print(f"agrees: {kind}, {plan.t} of {len(plan.ids)}, {plan.m} validators, {LIBRARY}")


main()
