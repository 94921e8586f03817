#!/bin/sh
# A device in a POSIX shell with curl and openssl (and mosquitto_pub, to publish): for trying things, and for gateways that
# have a shell anyway. Steps, in any order: enroll, verify, publish, renew.
#
#   ID=pump-7 ROOT=root.crt STORE=pump-7 TOKEN_FILE=token ./firmware-openssl.sh enroll verify publish renew
#
# Without TOKEN_FILE it asks for the approval of an operator. EST and BROKER are HOST:PORT, localhost:8443 and localhost:8883 if
# not set; TRUST_DOMAIN is fleetroot.local.
set -eu
umask 077
: "${ID:?is the device id}" "${ROOT:?is the file of the trust anchor}" "${STORE:?is the folder of the identity}"
EST=${EST:-localhost:8443} BROKER=${BROKER:-localhost:8883} TRUST_DOMAIN=${TRUST_DOMAIN:-fleetroot.local}
ATTEMPTS=${ATTEMPTS:-8}
mkdir -p "$STORE"
trap 'cd "$STORE" && rm -f credential csr cacerts answer cas.pem leaf.pem server.crt' EXIT

fail() {
  echo "firmware: $*" >&2
  exit 1
}

# The key of the server as curl pins it, if the server is the enrollment server and not another service with the same host
# name: curl looks at names of hosts only.
server_pin() {
  leaf=$STORE/server.crt
  openssl s_client -connect "$EST" -servername "${EST%:*}" -CAfile "$ROOT" -verify_return_error \
    -verify_hostname "${EST%:*}" < /dev/null 2> /dev/null | openssl x509 -out "$leaf" 2> /dev/null ||
    fail "$EST cannot be reached, or is not trusted"
  openssl x509 -in "$leaf" -noout -ext subjectAltName | tr ',' '\n' |
    grep -qx " *URI:spiffe://$TRUST_DOMAIN/service/enrollment-server" || fail "$EST is not the enrollment server"
  echo "sha256//$(openssl x509 -in "$leaf" -noout -pubkey | openssl pkey -pubin -outform DER |
    openssl dgst -sha256 -binary | openssl base64 -A)"
}

# ask FILE URL-PATH [curl options]: the body of a 200 in FILE. Waits for whoever asks for patience: as long as Retry-After
# says, and then at random, twice as long each time.
ask() {
  file=$1 path=$2
  shift 2
  attempt=1
  while :; do
    status=$(curl --silent --show-error --cacert "$ROOT" --pinnedpubkey "$PIN" --max-time 60 --output "$file" \
      --write-out '%{http_code} %header{retry-after}' "$@" "https://$EST/.well-known/est/$path") || status=
    retry_after=${status#* } status=${status% *}
    case $status in
    200) return ;;
    '' | 202 | 408 | 429 | 5*) [ "$attempt" -lt "$ATTEMPTS" ] || fail "no certificate after $attempt attempts (${status:-no answer})" ;;
    *) fail "the server refused ($status): $(head -n 1 "$file")" ;;
    esac
    [ "$retry_after" -gt 0 ] 2> /dev/null || retry_after=0
    ceiling=$((attempt < 7 ? 1 << (attempt - 1) : 60))
    sleep $((retry_after + $(od -An -N2 -tu2 /dev/urandom) % (ceiling + 1)))
    attempt=$((attempt + 1))
  done
}

# The certificates of a certs-only PKCS#7 message in base64.
certificates() { openssl base64 -d -A -in "$1" | openssl pkcs7 -inform DER -print_certs; }

# The key is kept before the first request, so that a retry, after a power cut too, asks for the same key.
pending=$STORE/pending.key
make_key() {
  [ -s "$pending" ] || { openssl ecparam -name prime256v1 -genkey -noout -out "$pending.new" && mv "$pending.new" "$pending"; }
}

# request OUTPUT EST-OPERATION [curl options]: key, certificate and its CA in OUTPUT, checked.
request() {
  output=$1 operation=$2
  shift 2
  make_key
  openssl req -new -key "$pending" -subj "/CN=$ID" -outform DER | openssl base64 -A > "$STORE/csr"
  PIN=$(server_pin)
  ask "$STORE/cacerts" cacerts
  ask "$STORE/answer" "$operation" --header 'Content-Type: application/pkcs10' --data-binary "@$STORE/csr" "$@"
  certificates "$STORE/cacerts" > "$STORE/cas.pem"
  certificates "$STORE/answer" | openssl x509 > "$STORE/leaf.pem"
  check "$pending" "$STORE/leaf.pem" "$STORE/cas.pem"
  cat "$pending" "$STORE/leaf.pem" > "$output.new"
  issuer_of "$STORE/leaf.pem" "$STORE/cas.pem" >> "$output.new"
  mv "$output.new" "$output"
  rm -f "$pending"
}

# check KEY LEAF CAS: whether the certificate is for this key and this device, leads to the trust anchor and is valid now.
check() {
  [ "$(openssl pkey -in "$1" -pubout)" = "$(openssl x509 -in "$2" -noout -pubkey)" ] || fail 'the certificate is for another key'
  [ "$(openssl x509 -in "$2" -noout -subject -nameopt RFC2253)" = "subject=CN=$ID" ] || fail 'the certificate is for another device'
  openssl verify -CAfile "$ROOT" -untrusted "$3" -purpose sslclient "$2" > /dev/null || fail 'the certificate is not valid'
}

# issuer_of LEAF CAS: those of the CAs that have the name of its issuer, without roots.
issuer_of() {
  wanted=$(openssl x509 -in "$1" -noout -issuer_hash)
  awk -v prefix="$STORE/ca-" '/BEGIN/ { n = n + 1; file = prefix n ".pem" } file { print > file } /END/ { close(file); file = "" }' "$2"
  for ca in "$STORE"/ca-*.pem; do
    set -- $(openssl x509 -in "$ca" -noout -subject_hash -issuer_hash)
    if [ "$1" = "$wanted" ] && [ "$1" != "$2" ]; then cat "$ca"; fi
    rm "$ca"
  done
}

identity=$STORE/identity.pem

enroll() {
  if [ -s "$identity" ] && openssl x509 -in "$identity" -noout -checkend 0 > /dev/null; then return; fi
  if [ -z "${TOKEN_FILE:-}" ]; then
    # Whoever approves compares this with what the server shows: the id alone is anybody's to claim.
    make_key
    echo "$ID has no token and asks for approval of its key," \
      "SHA-256 $(openssl pkey -in "$pending" -pubout -outform DER | openssl dgst -sha256 -r | cut -d ' ' -f 1)"
    request "$identity" simpleenroll
    echo "enrolled $ID, $(openssl x509 -in "$identity" -noout -enddate)"
    return
  fi
  [ -s "$TOKEN_FILE" ] || fail 'TOKEN_FILE holds no token'
  # Not on the command line of curl, which every user of the machine can read.
  printf 'user = "%s:%s"\n' "$ID" "$(cat "$TOKEN_FILE")" > "$STORE/credential"
  request "$identity" simpleenroll --config "$STORE/credential"
  echo "enrolled $ID, $(openssl x509 -in "$identity" -noout -enddate)"
}

# Whether the stored identity is whole.
verify() {
  [ -s "$identity" ] || fail 'there is no identity: enroll first'
  openssl pkey -in "$identity" -noout || fail 'the key is damaged'
  check "$identity" "$identity" "$identity"
  echo "verified $ID"
}

# publish [IDENTITY]
publish() {
  mosquitto_pub -h "${BROKER%:*}" -p "${BROKER##*:}" --cafile "$ROOT" --cert "${1:-$identity}" --key "${1:-$identity}" -i "$ID" \
    -q 1 -t "devices/$ID/telemetry/uptime" -m "{\"seconds\":$(cut -d. -f1 /proc/uptime)}" || fail 'the broker did not take it'
  echo "published devices/$ID/telemetry/uptime"
}

# A new key; what the broker has taken once replaces the identity in use by one rename.
renew() {
  [ -s "$STORE/staged.pem" ] || request "$STORE/staged.pem" simplereenroll --cert "$identity" --key "$identity"
  publish "$STORE/staged.pem"
  mv "$STORE/staged.pem" "$identity"
  echo "renewed $ID, $(openssl x509 -in "$identity" -noout -enddate)"
}

for step; do
  case $step in
  enroll | verify | publish | renew) "$step" ;;
  *) fail "$step is no step: enroll, verify, publish, renew" ;;
  esac
done
