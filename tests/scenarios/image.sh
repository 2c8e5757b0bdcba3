#!/bin/sh
# fleetsim image: what it makes is good by the word of openssl and python3, which know MCUboot's format from its
# documentation; what they make is good by its word; what it spoils is bad by both; and what it refuses.
# usage: image.sh PATH/TO/fleetsim
set -u
fleetsim=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/lib/cases.sh"
cd "$work" || exit 1

# judge.py IMAGE PUBLIC_KEY [FIRMWARE]: 0 and "good" when hash, key hash and signature are
cat >judge.py <<'PY'
import hashlib, struct, subprocess, sys
image = open(sys.argv[1], "rb").read()
der = subprocess.run(["openssl", "pkey", "-pubin", "-in", sys.argv[2], "-outform", "DER"], capture_output=True, check=True).stdout
magic, load, header_size, protected_size, body_size, flags, major, minor, revision, build, pad = struct.unpack_from("<IIHHIIBBHII", image)
assert magic == 0x96F3B83D, "magic"
signed = header_size + body_size + protected_size
def entries(at, magic):
    found, size = struct.unpack_from("<HH", image, at)
    assert found == magic, "magic of a list"
    end, out = at + size, {}
    assert end <= len(image), "a list is cut off"
    at += 4
    while at < end:
        kind, size = struct.unpack_from("<HH", image, at)
        assert at + 4 + size <= end, "an entry is cut off"
        out[kind] = image[at + 4:at + 4 + size]
        at += 4 + size
    return out, end
protected, end = entries(header_size + body_size, 0x6908)
assert end == signed, "protected size"
unprotected, end = entries(signed, 0x6907)
assert end == len(image), "bytes after the image"
assert hashlib.sha256(image[:signed]).digest() == unprotected[0x10], "hash"
assert hashlib.sha256(der).digest() == unprotected[0x01], "key hash"
open("tbs", "wb").write(image[:signed])
open("sig", "wb").write(unprotected[0x22])
done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", sys.argv[2], "-signature", "sig", "tbs"], capture_output=True)
assert done.returncode == 0, "signature"
if len(sys.argv) > 3:
    assert image[header_size:header_size + body_size] == open(sys.argv[3], "rb").read(), "the firmware's bytes"
number = lambda kind: struct.unpack("<I", protected[kind])[0]
print(f"good: {major}.{minor}.{revision} counter {number(0x50)} class {number(0xa0)} size {len(image)}")
PY
# forge.py OUT KEY HEADER_SIZE HAS_CLASS BYTES_AFTER [pad-sig]: an image that this project did not make
cat >forge.py <<'PY'
import hashlib, struct, subprocess, sys
out, key, header_size, has_class, after = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "yes", int(sys.argv[5])
der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], capture_output=True, check=True).stdout
entry = lambda kind, value: struct.pack("<HH", kind, len(value)) + value
protected = entry(0x50, struct.pack("<I", 3)) + (entry(0xA0, struct.pack("<I", 9)) if has_class else b"")
protected = struct.pack("<HH", 0x6908, len(protected) + 4) + protected
body = b"firmware of somebody else"
image = struct.pack("<IIHHIIBBHII", 0x96F3B83D, 0, header_size, len(protected), len(body), 0, 4, 5, 6, 7, 0)
image += bytes(header_size - 32) + body + protected
open("tbs", "wb").write(image)
signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, "tbs"], capture_output=True, check=True).stdout
while "pad-sig" in sys.argv and len(signature) == 72: # as imgtool's --pad-sig; this one has nothing to pad
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key, "tbs"], capture_output=True, check=True).stdout
signature = signature.ljust(72, b"\0") if "pad-sig" in sys.argv else signature
entries = entry(0x10, hashlib.sha256(image).digest()) + entry(0x01, hashlib.sha256(der).digest()) + entry(0x22, signature)
open(out, "wb").write(image + struct.pack("<HH", 0x6907, len(entries) + 4) + entries + b"\xff" * after)
PY

"$fleetsim" pki make fleet --devices 2 >said || exit 1
[ "$(stat -c %a fleet/image.key)" = 600 ] || { name="the image key"; complain "fleet/image.key is not 0600"; }
openssl ecparam -name prime256v1 -genkey -noout -out own.pem
openssl pkey -in own.pem -pubout -out own.pub
openssl ecparam -name secp384r1 -genkey -noout -out p384.pem
head -c 2001 /dev/urandom >firmware.bin
"$fleetsim" pki export fleet --what bundle --version 2 --roots B,spare --out bundle >said || exit 1

expect "make" 0 "v2.img: version 1.1.0, security counter 2, class 1, 262144 bytes, SHA-256 [0-9a-f]{64}" \
  "$fleetsim" image make v2.img --size 256KiB --version 1.1.0 --counter 2 --fleet fleet
expect "make, judged by others" 0 "good: 1.1.0 counter 2 class 1 size 262144" python3 judge.py v2.img fleet/image.pub
expect "make, shown" 0 "0x50 security counter, 4 bytes: 2 .*key the one given signature good good: whole" \
  "$fleetsim" image show v2.img --fleet fleet
expect "make again" 0 "SHA-256" "$fleetsim" image make again.img --size 256KiB --version 1.1.0 --counter 2 --fleet fleet
name="the same arguments, the same firmware"
[ "$(head -c 262000 v2.img | sha256sum)" = "$(head -c 262000 again.img | sha256sum)" ] || complain "bytes differ"

expect "sign" 0 "class 4294967295, 3[0-9]{3} bytes" "$fleetsim" image sign firmware.bin --out own.img --version 255.0.65535 \
  --counter 4294967295 --class 4294967295 --key own.pem --trust bundle
expect "sign, judged by others" 0 "good: 255.0.65535 counter 4294967295 class 4294967295 size 3[0-9]{3}" \
  python3 judge.py own.img own.pub firmware.bin
expect "sign, shown" 0 "0xa1 trust bundle, [0-9]+ bytes: version 2, 2 anchors.*signature good whole, and signed.*only devices of class 4294967295" \
  "$fleetsim" image show own.img --key own.pub
expect "sign, shown without a key" 0 "hash good key not checked signature not checked whole" "$fleetsim" image show own.img
expect "sign, shown with another's key" 1 "key another.*refuses it \(wrong_key\)" "$fleetsim" image show own.img --fleet fleet
expect "show as JSON" 0 '"value": 2.*"verdict": "good"' "$fleetsim" image show v2.img --key fleet/image.pub --json

python3 forge.py theirs.img own.pem 512 yes 0
expect "an image that others made" 0 "version 4.5.6\+7, 512 bytes.*signature good whole, and signed" "$fleetsim" image show theirs.img --key own.pem
python3 forge.py classless.img own.pem 32 no 0
expect "one without a device class" 1 "missing device class.*\(bad_tlv\): it has no device class: sign it with imgtool's --custom-tlv 0xa0 0x01000000" "$fleetsim" image show classless.img --key own.pem
python3 forge.py padded.img own.pem 32 yes 100
expect "one with bytes after it" 1 "100 bytes more.*\(bad_tlv\): 100 bytes follow the image, which is padded.*without --pad" \
  "$fleetsim" image show padded.img --key own.pem
python3 forge.py pad-sig.img fleet/image.key 32 yes 0 pad-sig
expect "one with a padded signature" 1 "\(bad_signature\): zeros follow its signature .*TinyCrypt.*padded-signatures: yes" \
  "$fleetsim" image show pad-sig.img --fleet fleet
scenario padded >said <<YAML
name: an image whose signature is padded
fleet: {devices: 2}
ota: {class: 9, padded-signatures: yes}
phases:
  - {name: all, do: [connect: {}, ota.publish: {image: v4, file: pad-sig.img}, ota.rollout: {image: v4, jitter: 0s, within: 20s}],
     until: updated(v4) == 100%}
YAML
expect "published to devices that take it" 0 "updated\(v4\): 2 of 2" "$fleetsim" run padded.yaml --fleet fleet --out taken
expect "and to devices that do not" 2 "padded.yaml:[0-9]+:[0-9]+: pad-sig.img is no image that a device would take: zeros follow its signature" \
  "$fleetsim" run padded.yaml --fleet fleet --out refused --set ota.padded-signatures=no
expect "corrupt says why an image is none" 2 "and this is none: it has no device class" \
  "$fleetsim" image corrupt classless.img --how bit-flip --out x.img
cp classless.img pad-sig.img
expect "publish says why an image is none" 2 "no image that a device would take: it has no device class: sign it with" \
  "$fleetsim" run padded.yaml --fleet fleet --out refused-too

# HOW, what a device says to the file alone, what python3 says
while read -r how status theirs; do
  expect "corrupt $how" 0 "a device ends with" "$fleetsim" image corrupt v2.img --how "$how" --out "$how.img" --fleet fleet
  if [ "$status" = good ]; then
    expect "$how, shown" 0 "signature good" "$fleetsim" image show "$how.img" --fleet fleet
    expect "$how, judged by others" 0 "$theirs" python3 judge.py "$how.img" fleet/image.pub
  else
    expect "$how, shown" 1 "refuses it \($status\)" "$fleetsim" image show "$how.img" --fleet fleet
    expect "$how, judged by others" 1 "$theirs" python3 judge.py "$how.img" fleet/image.pub
  fi
done <<'HARMS'
bit-flip hash_mismatch AssertionError: hash
truncated bad_tlv error
endless bad_tlv bytes after the image
bad-magic bad_image AssertionError: magic
bad-tlv bad_tlv an entry is cut off
no-tlv bad_tlv KeyError: 34
wrong-key wrong_key key hash
bad-signature bad_signature signature
wrong-class good class 2
older-counter good counter 0
HARMS

before=$(sha256sum v2.img)
refuse() { # NAME PATTERN ARGUMENTS...: a sentence, exit code 2, no file
  sentence=$2 case=$1
  shift 2
  expect "$case" 2 "^fleetsim image [a-z]+: .*$sentence" "$fleetsim" image "$@"
}
good="--version 1.2.0 --counter 3 --fleet fleet"
# shellcheck disable=SC2086
{
  refuse "an existing file" "exists already and is not overwritten" make v2.img --size 64KiB $good
  refuse "an existing file of sign" "or say --force" sign firmware.bin --out v2.img $good
  refuse "an existing file of corrupt" "or say --force" corrupt v2.img --how bit-flip --out v2.img
  refuse "no room for firmware" "take 203; name a larger size" make x.img --size 203 $good
  refuse "4 GiB" "less than 4 GiB" make x.img --size 4GiB $good
  refuse "no size" "no number|not a number" make x.img --size big $good
  : >empty.bin
  refuse "empty firmware" "empty.bin is empty" sign empty.bin --out x.img $good
  truncate -s 5G huge.bin
  refuse "an image that is signed already" "v2.img is an image of MCUboot, signed already and no raw firmware" sign v2.img --out x.img $good
  printf ':10010000214601360121470136007EFE09D2190140\r\n' >firmware.hex
  refuse "an Intel HEX file" "firmware.hex is an Intel HEX file and .*objcopy -I ihex -O binary" sign firmware.hex --out x.img $good
  refuse "an ELF file" "is an ELF file and no raw firmware: make a binary of it: objcopy -O binary" sign "$fleetsim" --out x.img $good
  refuse "a key in place of firmware" "own.pem is a PEM file.*the key goes to --key" sign own.pem --out x.img $good
  refuse "firmware of 5 GiB" "huge.bin has 5368709120 bytes" sign huge.bin --out x.img $good
  refuse "firmware that is a folder" "not a regular file" sign fleet --out x.img $good
  refuse "no key" "name the key that signs" sign firmware.bin --out x.img --version 1.2.0 --counter 3
  refuse "two keys" "either --fleet or --key" sign firmware.bin --out x.img $good --key own.pem
  refuse "a public key" "holds no private key" sign firmware.bin --out x.img --version 1.2.0 --counter 3 --key own.pub
  refuse "a key on another curve" "not on curve P-256" sign firmware.bin --out x.img --version 1.2.0 --counter 3 --key p384.pem
  refuse "no trust bundle" "firmware.bin is no trust bundle" sign firmware.bin --out x.img $good --trust firmware.bin
  refuse "no version" "--version is missing" make x.img --size 64KiB --counter 3 --fleet fleet
  refuse "a version that is none" "'1.2' is no version" make x.img --size 64KiB --version 1.2 --counter 3 --fleet fleet
  refuse "a version too high" "at most 255.255.65535" make x.img --size 64KiB --version 256.0.0 --counter 3 --fleet fleet
  refuse "a negative counter" "'-1' is no --counter" make x.img --size 64KiB --version 1.2.0 --counter -1 --fleet fleet
  refuse "a harm that is none" "there is no harm 'rust'" corrupt v2.img --how rust --out x.img
  refuse "a harm of manifests" "harm of the manifest" corrupt v2.img --how stale-manifest --out x.img
  refuse "a harm that needs the key" "name the key" corrupt v2.img --how wrong-class --out x.img
  refuse "harm to what is no image" "only a good image" corrupt firmware.bin --how bit-flip --out x.img
  refuse "another command's option" "--size is no option of 'sign'" sign firmware.bin --out x.img --size 1
  refuse "to show nothing" "is no image" show empty.bin
  refuse "to show what is not there" "cannot read none.img" show none.img
}
rm -f huge.bin
expect "a folder that is not there" 3 "cannot write no/x.img .*No such file" \
  "$fleetsim" image make no/x.img --size 64KiB --version 1.2.0 --counter 3 --fleet fleet
expect "show of noise" 1 "refuses it \(bad_image\)" "$fleetsim" image show firmware.bin
name="nothing is left behind"
[ -z "$(find . -name 'x.img*' -o -name '*.img.*')" ] || complain "files are: $(ls)"
name="the existing file is as it was"
[ "$before" = "$(sha256sum v2.img)" ] || complain "v2.img was changed"
expect "--force" 0 "65536 bytes" "$fleetsim" image make v2.img --size 64KiB --version 1.2.0 --counter 3 --fleet fleet --force
expect "--force, judged by others" 0 "good: 1.2.0 counter 3 class 1 size 65536" python3 judge.py v2.img fleet/image.pub
expect "a folder without an image key" 0 "65536 bytes" sh -c "rm fleet/image.key fleet/image.pub && '$fleetsim' image make \
  new.img --size 64KiB --version 1.2.0 --counter 3 --fleet fleet"
expect "gets one" 0 "good: " python3 judge.py new.img fleet/image.pub
for help in "" make sign show corrupt; do
  # shellcheck disable=SC2086
  expect "help $help" 0 "usage: fleetsim image $help.*example: fleetsim image" "$fleetsim" image $help --help
done
end_of_cases
