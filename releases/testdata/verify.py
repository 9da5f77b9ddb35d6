# Verifies the signatures of a TUF repository's metadata without any TUF library of ours: canonical JSON (OLPC) written
# here, and each Ed25519 signature by OpenSSL alone. With "securesystemslib" as second argument the signatures are
# verified by that library, python-tuf's own, instead. Prints one line a role: NAME VALID-KEYS THRESHOLD.
import json, os, subprocess, sys, tempfile

def canonical(x):
    if isinstance(x, dict):
        return "{" + ",".join(canonical(k) + ":" + canonical(x[k]) for k in sorted(x)) + "}"
    if isinstance(x, list):
        return "[" + ",".join(canonical(v) for v in x) + "]"
    if isinstance(x, str):
        return '"' + x.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if x is True or x is False:
        return "true" if x else "false"
    if isinstance(x, int):
        return str(x)
    raise ValueError("no canonical form: %r" % (x,))

def by_openssl(key, sig, data):
    der = bytes.fromhex("302a300506032b6570032100") + bytes.fromhex(key["keyval"]["public"])  # RFC 8410, SubjectPublicKeyInfo
    with tempfile.TemporaryDirectory() as d:
        for name, raw in (("key", der), ("sig", bytes.fromhex(sig)), ("data", data)):
            open(os.path.join(d, name), "wb").write(raw)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", d + "/key", "-sigfile", d + "/sig", "-in", d + "/data"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

def by_library(keyid, key, sig, data):
    from securesystemslib.signer import SSlibKey, Signature
    try:
        SSlibKey.from_dict(keyid, dict(key)).verify_signature(Signature(keyid, sig), data)
        return True
    except Exception:
        return False

directory = sys.argv[1]
library = len(sys.argv) > 2 and sys.argv[2] == "securesystemslib"
load = lambda name: json.load(open(os.path.join(directory, name)))
root = load("1.root.json")
stamp = load("timestamp.json")
snapshot = load("%d.snapshot.json" % stamp["signed"]["meta"]["snapshot.json"]["version"])
targets = load("%d.targets.json" % snapshot["signed"]["meta"]["targets.json"]["version"])
for name, document in (("root", root), ("timestamp", stamp), ("snapshot", snapshot), ("targets", targets)):
    role = root["signed"]["roles"][name]
    data = canonical(document["signed"]).encode()
    if library:
        from securesystemslib.formats import encode_canonical
        data = encode_canonical(document["signed"]).encode()
    valid = set()
    for s in document["signatures"]:
        if s["keyid"] in role["keyids"]:
            key = root["signed"]["keys"][s["keyid"]]
            if (by_library(s["keyid"], key, s["sig"], data) if library else by_openssl(key, s["sig"], data)):
                valid.add(key["keyval"]["public"])
    print(name, len(valid), role["threshold"])
